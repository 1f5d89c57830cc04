package io.trainingday.bench.peer;

import static org.assertj.core.api.Assertions.assertThat;

import io.trainingday.bench.BenchRun;
import io.trainingday.bench.client.RedisPath;
import io.trainingday.bench.measure.SideBySide;
import io.trainingday.bench.path.Workload;
import io.trainingday.bench.report.Report.Row;
import io.trainingday.config.DataSize;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

final class PeerBenchTest {
  @Test
  void everyPath_deliversTheSamplesOfTheOtherProcess() throws Exception {
    List<PeerPath> kinds = new ArrayList<>(Arrays.asList(PeerPath.values()));
    if (!RedisPath.isPossible()) {
      kinds.remove(PeerPath.REDIS_MGET);
    }
    SideBySide.Plan plan =
        new SideBySide.Plan(
            List.of(new Workload(4_096, 100), new Workload(150_528, 10)), List.of(8), 2, 1, 1);
    List<Row> rows;

    // Closing proves that nothing came from the trainer's own node.
    try (PeerServers servers =
        PeerServers.start(
            kinds,
            DataSize.ofMiB(128),
            List.of("-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"))) {
      rows =
          new SideBySide(
                  plan, (workload, maxBatch) -> servers.open(kinds, workload, maxBatch), line -> {})
              .run();
    }

    assertThat(rows)
        .extracting(row -> row.sampleBytes() + " " + row.path())
        .containsExactlyElementsOf(
            Stream.of("4096 ", "150528 ")
                .flatMap(size -> kinds.stream().map(kind -> size + kind))
                .toList());
    assertThat(rows)
        .allSatisfy(
            row -> {
              assertThat(row.batches()).isGreaterThanOrEqualTo(2 * 3);
              assertThat(row.inlineBatches()).isZero();
              assertThat(row.bytesPerSecond()).isPositive();
            });
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "--working-set 1GiB | --working-set=1GiB is outside 16MiB..512MiB",
        "--working-set much | --working-set=much: write a whole number and a unit: B, KiB, MiB, GiB"
            + " or TiB",
        "--paths lane | --paths=lane is none of raw-tcp, lane-tcp, lane-tls, ignite-getAll,"
            + " redis-mget, hazelcast-getAll",
        "--report /nowhere/r.json | --report=/nowhere/r.json cannot be written; give a file in a"
            + " folder that exists and is writable",
      })
  void option_wrong_isRefusedInWords(String option, String problem) {
    List<String> arguments = new ArrayList<>(List.of("peer"));
    arguments.addAll(Arrays.asList(option.split(" ", -1)));

    BenchRun run = BenchRun.of(arguments.toArray(String[]::new));

    assertThat(run.exitCode()).isEqualTo(2);
    assertThat(run.err()).startsWith(problem + System.lineSeparator());
  }
}
