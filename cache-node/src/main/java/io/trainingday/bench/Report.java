package io.trainingday.bench;

import java.util.List;

/** Everything one run gave; the components' names are the report's keys. */
record Report(
    Machine machine, Method method, List<Path> paths, List<Skipped> skipped, List<Row> rows) {

  /** Where it ran. */
  record Machine(int cores, String jvm, String os, long maxHeapBytes) {
    static Machine here() {
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
   * @param node where the lane's node ran
   */
  record Method(int rounds, long sliceMillis, long warmUpMillis, String node) {}

  /** What a path does. */
  record Path(String path, String does) {}

  /** A path that was left out. */
  record Skipped(String path, String reason) {}
}
