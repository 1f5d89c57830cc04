package io.trainingday.bench.pressure;

import static org.assertj.core.api.Assertions.assertThat;

import io.trainingday.cli.AnswerSchemas;
import io.trainingday.cli.ChecksAnswer;
import io.trainingday.config.DataSize;
import java.util.List;
import org.junit.jupiter.api.Test;

/** The benchmark's short form: a small region, small records, a few seconds. */
final class PressureBenchTest {
  private static final long MIB = 1L << 20;

  @Test
  @ChecksAnswer("bench pressure")
  void tenTimesTheRegion_twelveWriters_nobodyDiesAndReadsGoOn() throws Exception {
    PressureBench.Plan plan =
        new PressureBench.Plan(
            9,
            96 * MIB,
            10,
            1 << 10,
            1 << 20,
            12,
            List.of("-Xmx256m", "-XX:MaxDirectMemorySize=96m", "-XX:+UseSerialGC"),
            DataSize.ofMiB(64),
            DataSize.ofMiB(16),
            (96 + 256 + 96 + 64 + 256) * MIB);

    PressureReport report = new PressureBench(plan, line -> {}).run();

    assertThat(report.nodeDeaths()).isZero();
    assertThat(report.igniteOutOfMemory()).isZero();
    assertThat(report.readErrors()).isZero();
    assertThat(report.peakBytes()).isBetween(1L, report.limitBytes());
    assertThat(report.rows())
        .extracting(PressureReport.Row::policy)
        .containsExactly("pin", "lru", "random");
    assertThat(report.rows())
        .allSatisfy(
            row -> {
              // Not of every second: a busy machine may not get a batch done in one.
              assertThat(row.reads()).as("%s", row).isPositive();
              assertThat(row.loads()).as("%s", row).isBetween(1L, row.reads() - 1);
            });
    assertThat(report.text()).contains("0 nodes died, 0 times Ignite ran out of memory");
    AnswerSchemas.check("bench pressure", report);
  }
}
