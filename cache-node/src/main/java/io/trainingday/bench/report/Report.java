package io.trainingday.bench.report;

import java.util.List;

/** Everything one run gave; the components' names are the report's keys. */
public record Report(
    Machine machine, Method method, List<Path> paths, List<Skipped> skipped, List<Row> rows) {

  /**
   * The report as text for people.
   *
   * @param limit the path that all are compared with
   * @param ours the paths that are told how they stand to all others
   */
  public String text(String limit, List<String> ours) {
    return Table.of(this, limit, ours);
  }

  /** Where it ran. */
  public record Machine(int cores, String jvm, String os, long maxHeapBytes) {
    /** This one. */
    public static Machine here() {
      return new Machine(
          Runtime.getRuntime().availableProcessors(),
          System.getProperty("java.vm.name") + " " + Runtime.version(),
          "%s %s %s"
              .formatted(
                  System.getProperty("os.name"),
                  System.getProperty("os.version"),
                  System.getProperty("os.arch")),
          Runtime.getRuntime().maxMemory());
    }
  }

  /**
   * How it was measured.
   *
   * @param node where the nodes ran
   */
  public record Method(int rounds, long sliceMillis, long warmUpMillis, String node) {}

  /** What a path does. */
  public record Path(String path, String does) {}

  /** A path that was left out. */
  public record Skipped(String path, String reason) {}

  /**
   * What one path did with batches of one size.
   *
   * @param bytesPerSecond of samples delivered, the median of the rounds
   * @param minBytesPerSecond of the slowest round
   * @param maxBytesPerSecond of the fastest round
   * @param medianMicros of a batch, over all rounds
   * @param p99Micros of a batch, over all rounds
   * @param batches read in all rounds
   * @param inlineBatches of them, through a socket though shared memory was meant
   */
  public record Row(
      String path,
      int sampleBytes,
      int batch,
      double bytesPerSecond,
      double minBytesPerSecond,
      double maxBytesPerSecond,
      double medianMicros,
      double p99Micros,
      long batches,
      long inlineBatches) {}
}
