package io.trainingday.bench;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;

/**
 * Measures all paths side by side. For each size of samples every path is loaded with the same
 * samples; for each size of batches every path is warmed up, and then all take turns, a slice of
 * time each, in rounds: what drifts on the machine hits all of them alike. Each path in turn goes
 * first in a round. All read the same indices in the same random order.
 */
final class LocalBench {
  private final Plan plan;
  private final Consumer<String> progress;

  LocalBench(Plan plan, Consumer<String> progress) {
    this.plan = plan;
    this.progress = progress;
  }

  /**
   * What to measure.
   *
   * @param workloads one for each size of samples
   * @param batches sizes of batches
   * @param socket of a node that runs already; empty to start one in this process
   */
  record Plan(
      List<PathKind> kinds,
      List<Workload> workloads,
      List<Integer> batches,
      int rounds,
      long sliceMillis,
      long warmUpMillis,
      Optional<Path> socket) {}

  List<Row> run() {
    List<Row> rows = new ArrayList<>();
    int maxBatch = Collections.max(plan.batches());
    for (Workload workload : plan.workloads()) {
      progress.accept(
          String.format(
              Locale.ROOT,
              "loading %,d samples of %,d B into each path",
              workload.count(),
              workload.sampleBytes()));
      try (OpenPaths open = OpenPaths.open(plan.kinds(), workload, maxBatch, plan.socket())) {
        for (int batch : plan.batches()) {
          progress.accept(
              String.format(Locale.ROOT, "measuring %d × %,d B", batch, workload.sampleBytes()));
          rows.addAll(measure(open, workload, batch));
        }
      }
    }
    return rows;
  }

  private List<Row> measure(OpenPaths open, Workload workload, int batch) {
    List<Gauge> gauges = new ArrayList<>();
    open.paths().forEach((kind, path) -> gauges.add(new Gauge(kind, path, workload, batch)));
    for (Gauge gauge : gauges) {
      gauge.warmUp(workload.order(-1), TimeUnit.MILLISECONDS.toNanos(plan.warmUpMillis()));
    }
    List<Gauge> turns = new ArrayList<>(gauges);
    for (int round = 0; round < plan.rounds(); round++) {
      long[] order = workload.order(round);
      for (Gauge gauge : turns) {
        gauge.slice(order, TimeUnit.MILLISECONDS.toNanos(plan.sliceMillis()));
      }
      Collections.rotate(turns, 1);
    }
    return gauges.stream().map(Gauge::row).toList();
  }
}
