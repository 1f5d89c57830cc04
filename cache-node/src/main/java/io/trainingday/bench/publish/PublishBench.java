package io.trainingday.bench.publish;

import io.trainingday.bench.publish.PublishReport.Row;
import io.trainingday.client.CacheAdmin;
import io.trainingday.client.TrainingCache;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.SplittableRandom;
import java.util.function.Consumer;
import org.HdrHistogram.Histogram;

/**
 * Measures publishing on a grid that runs. The data sets take turns, so that what drifts on the
 * machine hits all of them alike.
 */
final class PublishBench {
  private static final long SEED = 42;
  private static final int DIGITS = 3;
  private static final double NANOS_PER_MICRO = 1e3;

  private final String address;
  private final Plan plan;
  private final Consumer<String> progress;

  /**
   * @param address of a node
   */
  PublishBench(String address, Plan plan, Consumer<String> progress) {
    this.address = address;
    this.plan = plan;
    this.progress = progress;
  }

  /**
   * What to measure.
   *
   * @param entries of each data set
   * @param changed samples, chosen at random for each publish
   */
  record Plan(List<Integer> entries, int changed, int warmUps, int repeats) {}

  /** Fills the data sets and publishes; a row for each. */
  List<Row> run() {
    List<Turn> turns = new ArrayList<>();
    for (int entries : plan.entries()) {
      progress.accept(String.format(Locale.ROOT, "filling %,d entries", entries));
      turns.add(new Turn(SmallEntries.fill(address, entries), entries));
    }
    progress.accept("publishing");
    try (CacheAdmin admin =
        CacheAdmin.connect(TrainingCache.Config.builder().address(address).build())) {
      for (int i = 0; i < plan.warmUps() + plan.repeats(); i++) {
        for (Turn turn : turns) {
          long nanos = turn.publish(admin);
          if (i >= plan.warmUps()) {
            turn.nanos.recordValue(nanos);
          }
        }
      }
    }
    return turns.stream().map(Turn::row).toList();
  }

  /** One data set. */
  private final class Turn {
    private final String dataset;
    private final int entries;
    private final SplittableRandom random = new SplittableRandom(SEED);
    private final Histogram nanos = new Histogram(DIGITS);

    Turn(String dataset, int entries) {
      this.dataset = dataset;
      this.entries = entries;
    }

    long publish(CacheAdmin admin) {
      long[] changed = random.longs(plan.changed(), 0, entries).toArray();
      long start = System.nanoTime();
      admin.publishChanged(dataset, changed);
      return System.nanoTime() - start;
    }

    Row row() {
      return new Row(
          entries,
          nanos.getValueAtPercentile(50) / NANOS_PER_MICRO,
          nanos.getMinValue() / NANOS_PER_MICRO,
          nanos.getValueAtPercentile(99) / NANOS_PER_MICRO,
          nanos.getTotalCount());
    }
  }
}
