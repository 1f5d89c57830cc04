package io.trainingday.bench.cold;

import io.trainingday.bench.report.Report;
import java.util.List;
import java.util.Locale;

/** Everything one run gave; the components' names are the report's keys. */
record ColdReport(
    Report.Machine machine, int samples, int sampleBytes, double loadMillis, List<Row> rows) {

  /**
   * One epoch.
   *
   * @param cached whether through the cache
   * @param epoch from 1
   * @param hits samples found
   */
  record Row(boolean cached, int epoch, double seconds, long hits) {}

  String text() {
    StringBuilder out = new StringBuilder();
    line(out, "%-14s %6s %10s %10s", "", "epoch", "seconds", "hits");
    for (Row row : rows) {
      line(
          out,
          "%-14s %6d %10.3f %,10d",
          row.cached() ? "with cache" : "without cache",
          row.epoch(),
          row.seconds(),
          row.hits());
    }
    line(out, "");
    line(
        out,
        "%,d samples of %,d B, one loading thread that takes %.1f ms each, batches of 32, a node in"
            + " this process.",
        samples,
        sampleBytes,
        loadMillis);
    line(out, "%d cores, %s, %s", machine.cores(), machine.jvm(), machine.os());
    return out.toString();
  }

  private static void line(StringBuilder out, String format, Object... values) {
    out.append(String.format(Locale.ROOT, format, values)).append('\n');
  }
}
