package io.trainingday.bench.plan;

import io.trainingday.bench.plan.PlanReport.Cost;
import io.trainingday.bench.plan.PlanReport.Row;
import io.trainingday.bench.report.Report;
import io.trainingday.bench.report.ReportOption;
import io.trainingday.sampling.EpochPlan.Strategy;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.ExitCode;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code training-day bench plan}: how local the reads of an epoch are, and what a plan costs. */
@Command(
    name = "plan",
    description = "Compare who reads what: local share by hosts and batch, cost of a plan.",
    mixinStandardHelpOptions = true,
    sortOptions = false)
public final class PlanBenchCommand implements Callable<Integer> {
  private static final List<Integer> HOSTS = List.of(2, 4, 8, 64);
  private static final int MIN_BATCH = 256;
  private static final int MAX_BATCH = 16_384;
  private static final long[] FIRST = {1_000_000, 1_000_000_000};
  private static final long[] COSTS = {1_000_000, 1_281_167, 1_000_000_000, 1L << 40};

  @Mixin private ReportOption command = new ReportOption();

  @Option(
      names = "--samples",
      paramLabel = "N",
      defaultValue = "1281167",
      description = "samples of the data set whose reads are looked at (default: ${DEFAULT-VALUE})")
  private long samples;

  @Option(
      names = "--reads",
      paramLabel = "N",
      defaultValue = "200000",
      description =
          "reads to look at, for each number of hosts and batch (default: ${DEFAULT-VALUE})")
  private long reads;

  /** Made by picocli. */
  public PlanBenchCommand() {}

  @Override
  public Integer call() throws IOException {
    command.check();
    command.checkRange("--samples", samples, MAX_BATCH, 1_000_000_000_000L);
    command.checkRange("--reads", reads, 1, 1_000_000_000);
    List<Row> rows = new ArrayList<>();
    for (long many : FIRST) {
      command.progress("first batch of %,d samples".formatted(many));
      rows.add(PlanBench.firstBatch(many));
    }
    List<Cost> costs = new ArrayList<>();
    for (long many : COSTS) {
      costs.add(PlanBench.cost(many));
    }
    for (int hosts : HOSTS) {
      command.progress("local share of %d hosts".formatted(hosts));
      for (int batch = MIN_BATCH; batch <= MAX_BATCH; batch *= 2) {
        for (Strategy strategy : List.of(Strategy.EXACT, Strategy.PLAIN)) {
          rows.add(PlanBench.share(samples, hosts, batch, strategy, reads));
        }
      }
    }
    PlanReport report =
        new PlanReport(Report.Machine.here(), PlanBench.PARTITIONS, samples, rows, costs);
    command.finish(report.text(), report);
    return ExitCode.OK;
  }
}
