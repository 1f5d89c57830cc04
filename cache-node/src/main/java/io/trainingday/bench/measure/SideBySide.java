package io.trainingday.bench.measure;

import io.trainingday.bench.path.Workload;
import io.trainingday.bench.report.Report;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;

/**
 * Measures all paths side by side. For each size of samples every path is loaded with the same
 * samples; for each size of batches every path is warmed up, and then all take turns, a slice of
 * time each, in rounds: what drifts on the machine hits all of them alike. Each path in turn goes
 * first in a round. All read the same indices in the same random order.
 */
public final class SideBySide {
  private final Plan plan;
  private final Opener opener;
  private final Consumer<String> progress;

  public SideBySide(Plan plan, Opener opener, Consumer<String> progress) {
    this.plan = plan;
    this.opener = opener;
    this.progress = progress;
  }

  /**
   * What to measure.
   *
   * @param workloads one for each size of samples
   * @param batches sizes of batches
   */
  public record Plan(
      List<Workload> workloads,
      List<Integer> batches,
      int rounds,
      long sliceMillis,
      long warmUpMillis) {}

  /** Loads a workload into all paths. */
  public interface Opener {
    OpenPaths open(Workload workload, int maxBatch);
  }

  /** Measures everything of the plan, and returns a row for each path and size. */
  public List<Report.Row> run() {
    List<Report.Row> rows = new ArrayList<>();
    int maxBatch = Collections.max(plan.batches());
    for (Workload workload : plan.workloads()) {
      progress.accept(
          String.format(
              Locale.ROOT,
              "loading %,d samples of %,d B into each path",
              workload.count(),
              workload.sampleBytes()));
      try (OpenPaths open = opener.open(workload, maxBatch)) {
        for (int batch : plan.batches()) {
          progress.accept(
              String.format(Locale.ROOT, "measuring %d × %,d B", batch, workload.sampleBytes()));
          rows.addAll(measure(open, workload, batch));
        }
      }
    }
    return rows;
  }

  private List<Report.Row> measure(OpenPaths open, Workload workload, int batch) {
    List<Gauge> gauges = new ArrayList<>();
    open.paths().forEach((name, path) -> gauges.add(new Gauge(name, path, workload, batch)));
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
