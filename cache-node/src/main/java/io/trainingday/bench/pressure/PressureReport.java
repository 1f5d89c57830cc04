package io.trainingday.bench.pressure;

import java.util.List;
import java.util.Locale;

/**
 * Everything one run gave; the components' names are the report's keys.
 *
 * @param nodeDeaths processes that ended by themselves
 * @param igniteOutOfMemory lines of the nodes' logs that tell of one
 * @param peakBytes the most memory that a node's process has had
 * @param reads samples delivered right
 * @param readErrors samples delivered wrong, and batches that failed
 * @param limitEnforced whether the kernel held the processes to the limit, else it was watched
 * @param samples of the data set
 */
record PressureReport(
    int seconds,
    int nodeDeaths,
    int igniteOutOfMemory,
    long peakBytes,
    long limitBytes,
    long reads,
    long readErrors,
    boolean limitEnforced,
    int samples,
    List<Row> rows) {

  /**
   * One policy.
   *
   * @param loads samples that were not found
   * @param fewestReadsPerSecond of any second
   */
  record Row(String policy, long reads, long loads, long peakBytes, long fewestReadsPerSecond) {}

  private static final double MEBI = 1 << 20;

  String text() {
    StringBuilder out = new StringBuilder();
    line(
        out, "%-8s %12s %12s %10s %16s", "policy", "reads", "loads", "peak MiB", "fewest a second");
    for (Row row : rows) {
      line(
          out,
          "%-8s %,12d %,12d %,10.0f %,16d",
          row.policy(),
          row.reads(),
          row.loads(),
          row.peakBytes() / MEBI,
          row.fewestReadsPerSecond());
    }
    line(out, "");
    line(
        out,
        "%d s: %d nodes died, %d times Ignite ran out of memory, %,d reads, %,d of them failed,",
        seconds,
        nodeDeaths,
        igniteOutOfMemory,
        reads,
        readErrors);
    line(
        out,
        "at most %,.0f MiB of %,.0f MiB, %s.",
        peakBytes / MEBI,
        limitBytes / MEBI,
        limitEnforced
            ? "a limit that the kernel enforced"
            : "watched, for no control group could be made here");
    return out.toString();
  }

  private static void line(StringBuilder out, String format, Object... values) {
    out.append(String.format(Locale.ROOT, format, values)).append('\n');
  }
}
