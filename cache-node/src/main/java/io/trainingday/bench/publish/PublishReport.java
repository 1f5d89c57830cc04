package io.trainingday.bench.publish;

import io.trainingday.bench.report.Report;
import java.util.List;
import java.util.Locale;

/** Everything one run gave; the components' names are the report's keys. */
record PublishReport(Report.Machine machine, int nodes, boolean disk, int changed, List<Row> rows) {

  /**
   * What publishing took with data sets of one size.
   *
   * @param entries of the data set
   * @param publishes measured
   */
  record Row(
      int entries, double medianMicros, double minMicros, double p99Micros, long publishes) {}

  String text() {
    StringBuilder out = new StringBuilder();
    line(out, "%12s %12s %12s %12s", "entries", "median µs", "min µs", "p99 µs");
    for (Row row : rows) {
      line(
          out,
          "%,12d %,12.1f %,12.1f %,12.1f",
          row.entries(),
          row.medianMicros(),
          row.minMicros(),
          row.p99Micros());
    }
    line(out, "");
    line(
        out,
        "Each of %,d times, %d samples at random were published as changed, from request to reply,",
        rows.get(0).publishes(),
        changed);
    line(
        out,
        "on a grid of %d nodes, each in a process of its own, %s; the data sets took turns.",
        nodes,
        disk ? "with a disk tier" : "without disk tiers");
    line(out, "%d cores, %s, %s", machine.cores(), machine.jvm(), machine.os());
    return out.toString();
  }

  private static void line(StringBuilder out, String format, Object... values) {
    out.append(String.format(Locale.ROOT, format, values)).append('\n');
  }
}
