package io.trainingday.bench;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.stream.LongStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import picocli.CommandLine;

final class LocalBenchTest {
  private final Path directory;

  LocalBenchTest(@TempDir Path directory) {
    this.directory = directory;
  }

  @Test
  void everyPath_deliversTheSamplesAndGivesARowForEachSize() {
    List<PathKind> kinds = new ArrayList<>(Arrays.asList(PathKind.values()));
    if (RedisServer.executable().isEmpty()) {
      kinds.remove(PathKind.REDIS_MGET);
    }
    LocalBench.Plan plan =
        new LocalBench.Plan(
            kinds,
            List.of(new Workload(4_096, 256), new Workload(150_528, 40)),
            List.of(1, 8),
            2,
            1,
            1,
            Optional.empty());
    List<String> progress = new ArrayList<>();

    List<Row> rows = new LocalBench(plan, progress::add).run();

    assertThat(rows)
        .extracting(row -> row.batch() + " × " + row.sampleBytes() + " " + row.path())
        .containsExactlyElementsOf(
            Stream.of("1 × 4096 ", "8 × 4096 ", "1 × 150528 ", "8 × 150528 ")
                .flatMap(size -> kinds.stream().map(kind -> size + kind))
                .toList());
    assertThat(rows)
        .allSatisfy(
            row -> {
              assertThat(row.batches()).isGreaterThanOrEqualTo(2 * 3);
              assertThat(row.inlineBatches()).isZero();
              assertThat(row.minBytesPerSecond()).isPositive();
              assertThat(row.bytesPerSecond())
                  .isBetween(row.minBytesPerSecond(), row.maxBytesPerSecond());
              assertThat(row.p99Micros()).isGreaterThanOrEqualTo(row.medianMicros());
            });
    assertThat(progress)
        .containsExactly(
            "loading 256 samples of 4,096 B into each path",
            "measuring 1 × 4,096 B",
            "measuring 8 × 4,096 B",
            "loading 40 samples of 150,528 B into each path",
            "measuring 1 × 150,528 B",
            "measuring 8 × 150,528 B");
  }

  @Test
  void order_isAPermutationThatDependsOnTheRoundAlone() {
    Workload workload = new Workload(8, 1_000);

    assertThat(workload.order(0)).isEqualTo(workload.order(0)).isNotEqualTo(workload.order(1));
    assertThat(LongStream.of(workload.order(0)).sorted().toArray())
        .isEqualTo(LongStream.range(0, 1_000).toArray());
  }

  @Test
  void path_thatDeliversWrongBytes_endsTheBench() {
    Workload workload = new Workload(64, 10);
    ReadPath broken =
        new ReadPath() {
          @Override
          public void read(long[] indices) {}

          @Override
          public ByteBuffer sample(int i) {
            byte[] bytes = workload.sample(0);
            bytes[20]++;
            return ByteBuffer.wrap(bytes);
          }
        };
    Gauge gauge = new Gauge(PathKind.HEAP_MAP, broken, workload, 1);

    assertThatThrownBy(() -> gauge.warmUp(new long[] {0}, 1))
        .isInstanceOf(BenchException.class)
        .hasMessage("heap-map delivered sample 0 wrong: 20 bytes agree of 64");
  }

  @Test
  void rates_areMedianAndSpreadOfTheRounds() {
    Row slow = new Row("memcpy", 4_096, 1, 1e9, 0.5e9, 2e9, 4.1, 9, 100, 0);
    Row lane = new Row("lane-collated", 4_096, 1, 0.6e9, 0.5e9, 0.7e9, 6.8, 12, 100, 3);
    Report report =
        new Report(
            new Report.Machine(2, "jvm", "os", 1),
            new Report.Method(7, 250, 700, "The node ran elsewhere."),
            List.of(new Report.Path("memcpy", "copies")),
            List.of(new Report.Skipped("redis-mget", "no redis-server on the PATH")),
            List.of(slow, lane));

    assertThat(Table.of(report).lines())
        .contains(
            "  memcpy               1.00   0.50–2.00                4.1          9.0     1.000",
            "  lane-collated        0.60   0.50–0.70                6.8         12.0     0.600",
            "lane-collated, 1 × 4,096 B: 0.60 × memcpy",
            "lane-collated, 1 × 4,096 B: 3 of 100 batches came through the socket for want of shared"
                + " memory.",
            "Left out: redis-mget (no redis-server on the PATH).");
  }

  @Test
  void report_holdsTheRowsTheMachineAndTheMethod() throws Exception {
    Path report = directory.resolve("report.json");

    Run run =
        run(
            "local",
            "--paths",
            "memcpy,heap-map",
            "--rounds",
            "1",
            "--slice",
            "10",
            "--working-set",
            "64MiB",
            "--report",
            report.toString());

    assertThat(run.exitCode).as(run.err).isZero();
    assertThat(run.out).contains("1 × 4,096 B", "64 × 602,112 B", "  heap-map ");
    JsonNode json = new JsonMapper().readTree(report.toFile());
    assertThat(json.at("/rows")).hasSize(2 * 3 * 2);
    assertThat(json.at("/rows/0").properties())
        .extracting(property -> property.getKey())
        .containsExactly(
            "path",
            "sampleBytes",
            "batch",
            "bytesPerSecond",
            "minBytesPerSecond",
            "maxBytesPerSecond",
            "medianMicros",
            "p99Micros",
            "batches",
            "inlineBatches");
    assertThat(json.at("/machine/cores").asInt()).isPositive();
    assertThat(json.at("/method/rounds").asInt()).isEqualTo(1);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "--rounds 0 | --rounds=0 is outside 1..100",
        "--slice 5 | --slice=5 is outside 10..10,000",
        "--working-set 2GiB | --working-set=2GiB is outside 64MiB..1GiB",
        "--working-set 64g | --working-set=64g: write 64GiB",
        "--paths memcpy,disk | --paths=disk is none of memcpy, lane-collated, lane-records,"
            + " page-reader, public-reader, ignite-getAll, thin-getAll, heap-map, redis-mget",
        "--paths memcpy,memcpy | --paths=memcpy stands there twice",
        "--report /nowhere/r.json | --report=/nowhere/r.json cannot be written; give a file in a"
            + " folder that exists and is writable",
      })
  void option_wrong_isRefusedInWords(String option, String problem) {
    List<String> arguments = new ArrayList<>(List.of("local"));
    arguments.addAll(Arrays.asList(option.split(" ", -1)));

    Run run = run(arguments.toArray(String[]::new));

    assertThat(run.exitCode).isEqualTo(2);
    assertThat(run.err).startsWith(problem + System.lineSeparator());
  }

  private static Run run(String... arguments) {
    StringWriter out = new StringWriter();
    StringWriter err = new StringWriter();
    int exitCode =
        new CommandLine(new BenchCommand())
            .setOut(new PrintWriter(out))
            .setErr(new PrintWriter(err))
            .execute(arguments);
    return new Run(exitCode, out.toString(), err.toString());
  }

  private record Run(int exitCode, String out, String err) {}
}
