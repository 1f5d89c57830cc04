package io.trainingday.bench.measure;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.trainingday.bench.path.BenchException;
import io.trainingday.bench.path.ReadPath;
import io.trainingday.bench.path.Workload;
import io.trainingday.bench.report.Report;
import io.trainingday.bench.report.Report.Row;
import java.nio.ByteBuffer;
import java.util.List;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;

final class MeasureTest {
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
    Gauge gauge = new Gauge("heap-map", broken, workload, 1);

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

    assertThat(report.text("memcpy", List.of("lane-collated")).lines())
        .contains(
            "  memcpy               1.00   0.50–2.00                4.1          9.0     1.000",
            "  lane-collated        0.60   0.50–0.70                6.8         12.0     0.600",
            "lane-collated, 1 × 4,096 B: 0.60 × memcpy",
            "lane-collated, 1 × 4,096 B: 3 of 100 batches came through the socket for want of shared"
                + " memory.",
            "Left out: redis-mget (no redis-server on the PATH).");
  }
}
