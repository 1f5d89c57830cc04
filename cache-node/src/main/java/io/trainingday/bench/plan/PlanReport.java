package io.trainingday.bench.plan;

import io.trainingday.bench.report.Report;
import java.util.List;
import java.util.Locale;

/**
 * Everything one run gave; the components' names are the report's keys.
 *
 * @param samples of the data set whose local shares were taken
 * @param rows {@link Share} and {@link FirstBatch}
 */
record PlanReport(
    Report.Machine machine, int partitions, long samples, List<Row> rows, List<Cost> costs) {

  /** One line of the report. */
  sealed interface Row permits Share, FirstBatch {}

  /**
   * How much of what ranks read their hosts own.
   *
   * @param batch of all ranks together
   * @param localShare of reads, 0–1
   */
  record Share(int hosts, int batch, String strategy, double localShare, double predictedLocalShare)
      implements Row {}

  /**
   * How long it takes from nothing to the indices of a rank's first batch.
   *
   * @param firstBatchMillis the median of many plans
   * @param firstInProcessMillis the first one, before the JVM knew the code
   */
  record FirstBatch(long samples, double firstBatchMillis, double firstInProcessMillis)
      implements Row {}

  /** What one index costs. */
  record Cost(long samples, double nanosPerIndex) {}

  String text() {
    StringBuilder out = new StringBuilder();
    line(out, "%-6s %7s %-9s %9s %10s%n", "hosts", "batch", "strategy", "local", "predicted");
    for (Row row : rows) {
      if (row instanceof Share share) {
        line(
            out,
            "%-6d %7d %-9s %8.2f%% %9.2f%%%n",
            share.hosts(),
            share.batch(),
            share.strategy(),
            100 * share.localShare(),
            100 * share.predictedLocalShare());
      }
    }
    line(out, "%n%-16s %18s %18s%n", "samples", "first batch ms", "first of all ms");
    for (Row row : rows) {
      if (row instanceof FirstBatch first) {
        line(
            out,
            "%-16d %18.3f %18.3f%n",
            first.samples(),
            first.firstBatchMillis(),
            first.firstInProcessMillis());
      }
    }
    line(out, "%n%-16s %18s%n", "samples", "ns an index");
    for (Cost cost : costs) {
      line(out, "%-16d %18.1f%n", cost.samples(), cost.nanosPerIndex());
    }
    line(
        out,
        "%nLocal: of reads of %,d samples in %d partitions, a rank on each host; batch: of all"
            + " ranks.%n",
        samples,
        partitions);
    line(out, "plain: torch's DistributedSampler. First batch: keyed order, 4 ranks of 1,024.%n");
    line(out, "%d cores, %s, %s%n", machine.cores(), machine.jvm(), machine.os());
    return out.toString();
  }

  private static void line(StringBuilder out, String format, Object... values) {
    out.append(String.format(Locale.ROOT, format, values));
  }
}
