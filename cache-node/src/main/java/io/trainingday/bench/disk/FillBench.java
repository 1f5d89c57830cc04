package io.trainingday.bench.disk;

import io.trainingday.bench.client.TemporaryDirectory;
import io.trainingday.bench.path.Workload;
import io.trainingday.bench.report.Report;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Locale;
import java.util.function.Consumer;
import org.HdrHistogram.Histogram;

/**
 * Measures how fast shelves are filled. In each round every one of them takes all samples in a new
 * directory and then syncs, which is timed with it; what is already in memory is given to the
 * kernel's writers before the next one begins. Each in turn goes first in a round.
 */
final class FillBench {
  private static final double NANOS_PER_MICRO = 1e3;
  private static final double NANOS_PER_SECOND = 1e9;
  private static final int DIGITS = 3;

  /** Contents that are put over and over, so that making them is not measured. */
  private static final int CONTENTS = 64;

  private final Shelves shelves;
  private final int rounds;
  private final Consumer<String> progress;

  FillBench(Shelves shelves, int rounds, Consumer<String> progress) {
    this.shelves = shelves;
    this.rounds = rounds;
    this.progress = progress;
  }

  /** A row for each kind that fills. */
  List<Report.Row> run(List<PathKind> kinds, Workload workload) {
    List<byte[]> contents = new ArrayList<>();
    for (long i = 0; i < Math.min(CONTENTS, workload.count()); i++) {
      contents.add(workload.sample(i));
    }
    List<Fill> fills =
        kinds.stream().filter(kind -> kind.verb() == PathKind.Does.FILLS).map(Fill::new).toList();
    List<Fill> turns = new ArrayList<>(fills);
    for (int round = 0; round < rounds; round++) {
      for (Fill fill : turns) {
        progress.accept(
            String.format(
                Locale.ROOT,
                "filling %s, %,d × %,d B, round %d of %d",
                fill.kind,
                workload.count(),
                workload.sampleBytes(),
                round + 1,
                rounds));
        fill.round(workload, contents);
      }
      Collections.rotate(turns, 1);
    }
    return fills.stream().map(fill -> fill.row(workload)).toList();
  }

  private final class Fill {
    private final PathKind kind;
    private final Histogram nanos = new Histogram(DIGITS);
    private final List<Double> rates = new ArrayList<>();

    Fill(PathKind kind) {
      this.kind = kind;
    }

    void round(Workload workload, List<byte[]> contents) {
      try (TemporaryDirectory place = shelves.place();
          Shelf shelf = shelves.shelf(kind, place, workload)) {
        long start = System.nanoTime();
        long before = start;
        for (int i = 0; i < workload.count(); i++) {
          shelf.put(i, contents.get(i % contents.size()));
          long now = System.nanoTime();
          nanos.recordValue(now - before);
          before = now;
        }
        shelf.sync();
        rates.add(workload.bytes() * NANOS_PER_SECOND / (System.nanoTime() - start));
      }
    }

    Report.Row row(Workload workload) {
      List<Double> sorted = rates.stream().sorted().toList();
      return new Report.Row(
          kind.toString(),
          workload.sampleBytes(),
          1,
          (sorted.get((sorted.size() - 1) / 2) + sorted.get(sorted.size() / 2)) / 2,
          sorted.get(0),
          sorted.get(sorted.size() - 1),
          nanos.getValueAtPercentile(50) / NANOS_PER_MICRO,
          nanos.getValueAtPercentile(99) / NANOS_PER_MICRO,
          nanos.getTotalCount(),
          0);
    }
  }
}
