package io.trainingday.bench.plan;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import io.trainingday.bench.plan.PlanReport.FirstBatch;
import io.trainingday.bench.plan.PlanReport.Share;
import io.trainingday.cli.AnswerSchemas;
import io.trainingday.cli.ChecksAnswer;
import io.trainingday.sampling.EpochPlan.Strategy;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import picocli.CommandLine;

class PlanBenchTest {
  private static final long SAMPLES = 300_000;

  /** Hosts that the grid's own placement gives equal shares. */
  @Test
  void fourEqualHosts_globalBatch1024_read97PercentLocally() {
    Share share = PlanBench.share(SAMPLES, 4, 1_024, Strategy.EXACT, SAMPLES);
    assertThat(share.localShare()).isGreaterThanOrEqualTo(0.97);
  }

  @ParameterizedTest
  @CsvSource({"2,256", "8,512", "64,256", "64,2048"})
  void localShares_areAsPredicted(int hosts, int batch) {
    Share exact = PlanBench.share(SAMPLES, hosts, batch, Strategy.EXACT, 100_000);
    Share plain = PlanBench.share(SAMPLES, hosts, batch, Strategy.PLAIN, 100_000);

    assertThat(exact.localShare()).isCloseTo(exact.predictedLocalShare(), within(0.01));
    assertThat(plain.localShare()).isCloseTo(1.0 / hosts, within(0.01));
    assertThat(plain.predictedLocalShare()).isCloseTo(1.0 / hosts, within(0.001));
  }

  @Test
  void firstBatch_isTimed() {
    FirstBatch first = PlanBench.firstBatch(1_000_000_000);
    assertThat(first.firstBatchMillis()).isPositive();
  }

  @Test
  @ChecksAnswer("bench plan")
  void report_hasBothKindsOfRows_andIsWhatJsonPrints(@TempDir Path directory) throws Exception {
    Path report = directory.resolve("plan.json");
    StringWriter out = new StringWriter();
    StringWriter err = new StringWriter();

    int code =
        new CommandLine(new PlanBenchCommand())
            .setOut(new PrintWriter(out))
            .setErr(new PrintWriter(err))
            .execute("--reads=1000", "--samples=20000", "--json", "--report=" + report);

    assertThat(code).isZero();
    assertThat(AnswerSchemas.check("bench plan", out.toString()))
        .isEqualTo(AnswerSchemas.check("bench plan", Files.readString(report)));
    assertThat(err.toString()).contains("local share of 64 hosts");
    assertThat(Files.readString(report))
        .contains("\"localShare\"", "\"predictedLocalShare\"", "\"strategy\" : \"exact\"")
        .contains("\"samples\" : 1000000000", "\"firstBatchMillis\"", "\"nanosPerIndex\"");
  }
}
