package io.trainingday.bench.local;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import io.trainingday.bench.BenchRun;
import io.trainingday.bench.client.RedisPath;
import io.trainingday.bench.measure.SideBySide;
import io.trainingday.bench.path.Workload;
import io.trainingday.bench.report.Report.Row;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

final class LocalBenchTest {
  private final Path directory;

  LocalBenchTest(@TempDir Path directory) {
    this.directory = directory;
  }

  @Test
  void everyPath_deliversTheSamplesAndGivesARowForEachSize() {
    List<PathKind> kinds = new ArrayList<>(Arrays.asList(PathKind.values()));
    if (!RedisPath.isPossible()) {
      kinds.remove(PathKind.REDIS_MGET);
    }
    SideBySide.Plan plan =
        new SideBySide.Plan(
            List.of(new Workload(4_096, 256), new Workload(150_528, 40)), List.of(1, 8), 2, 1, 1);
    List<String> progress = new ArrayList<>();

    List<Row> rows =
        new SideBySide(
                plan,
                (workload, maxBatch) ->
                    LocalPaths.open(kinds, workload, maxBatch, Optional.empty()),
                progress::add)
            .run();

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
  void report_holdsTheRowsTheMachineAndTheMethod() throws Exception {
    Path report = directory.resolve("report.json");

    BenchRun run =
        BenchRun.of(
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

    assertThat(run.exitCode()).as(run.err()).isZero();
    assertThat(run.out()).contains("1 × 4,096 B", "64 × 602,112 B", "  heap-map ");
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

    BenchRun run = BenchRun.of(arguments.toArray(String[]::new));

    assertThat(run.exitCode()).isEqualTo(2);
    assertThat(run.err()).startsWith(problem + System.lineSeparator());
  }
}
