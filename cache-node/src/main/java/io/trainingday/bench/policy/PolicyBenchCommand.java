package io.trainingday.bench.policy;

import io.trainingday.bench.report.Report;
import io.trainingday.bench.report.ReportOption;
import java.io.IOException;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.ExitCode;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code training-day bench policy}: hit rates of all policies over traces. */
@Command(
    name = "policy",
    description = "Compare what policies find of traces that training makes, through a cache node.",
    mixinStandardHelpOptions = true,
    sortOptions = false)
public final class PolicyBenchCommand implements Callable<Integer> {
  private static final List<Double> SHARES = List.of(0.25, 0.5, 0.65, 0.9);
  private static final int MIN_SAMPLES = 2_000; // Ignite takes no region below 10 MiB.
  private static final int MAX_SAMPLES = 200_000;
  private static final int MAX_EPOCHS = 100;

  @Mixin private ReportOption command = new ReportOption();

  @Option(
      names = "--samples",
      paramLabel = "N",
      defaultValue = "4000",
      description = "samples of the data set (default: ${DEFAULT-VALUE})")
  private int samples;

  @Option(
      names = "--epochs",
      paramLabel = "N",
      defaultValue = "6",
      description = "epochs of each run, the first not counted (default: ${DEFAULT-VALUE})")
  private int epochs;

  /** Made by picocli. */
  public PolicyBenchCommand() {}

  @Override
  public Integer call() throws IOException {
    command.check();
    command.checkRange("--samples", samples, MIN_SAMPLES, MAX_SAMPLES);
    command.checkRange("--epochs", epochs, 2, MAX_EPOCHS);
    PolicyBench.Plan plan =
        new PolicyBench.Plan(List.of(Trace.values()), SHARES, samples, epochs, true);
    PolicyReport report =
        new PolicyReport(
            Report.Machine.here(), samples, epochs, new PolicyBench(plan, command::progress).run());
    command.finish(report.text(), report);
    return ExitCode.OK;
  }
}
