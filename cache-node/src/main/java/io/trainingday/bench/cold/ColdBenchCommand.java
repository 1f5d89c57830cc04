package io.trainingday.bench.cold;

import io.trainingday.bench.report.Report;
import io.trainingday.bench.report.ReportOption;
import java.io.IOException;
import java.util.concurrent.Callable;
import java.util.concurrent.TimeUnit;
import picocli.CommandLine.Command;
import picocli.CommandLine.ExitCode;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code training-day bench cold}: the first epoch with a cache, and without one. */
@Command(
    name = "cold",
    description = "Measure what a cache costs while it is filled, and what the next epoch gains.",
    mixinStandardHelpOptions = true,
    sortOptions = false)
public final class ColdBenchCommand implements Callable<Integer> {
  private static final int SAMPLE_BYTES = 150_528;
  private static final int LOAD_MILLIS = 2;
  private static final int MIN_SAMPLES = 32;
  private static final int MAX_SAMPLES = 100_000;

  @Mixin private ReportOption command = new ReportOption();

  @Option(
      names = "--samples",
      paramLabel = "N",
      defaultValue = "2000",
      description = "samples of the data set (default: ${DEFAULT-VALUE})")
  private int samples;

  /** Made by picocli. */
  public ColdBenchCommand() {}

  @Override
  public Integer call() throws IOException {
    command.check();
    command.checkRange("--samples", samples, MIN_SAMPLES, MAX_SAMPLES);
    ColdReport report =
        new ColdReport(
            Report.Machine.here(),
            samples,
            SAMPLE_BYTES,
            LOAD_MILLIS,
            new ColdBench(samples, SAMPLE_BYTES, TimeUnit.MILLISECONDS.toNanos(LOAD_MILLIS)).run());
    command.finish(report.text(), report);
    return ExitCode.OK;
  }
}
