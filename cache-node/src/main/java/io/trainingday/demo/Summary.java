package io.trainingday.demo;

import java.util.List;
import java.util.Locale;
import java.util.function.ToDoubleFunction;

/** The result in words and columns for a person. */
final class Summary {
  private static final String ROW = "%5s  %9s  %9s  %18s  %9s  %9s  %12s  %8s%n";

  /** Less of epoch 1 than this share is not worth a cache. */
  private static final double NOTEWORTHY = 0.05;

  private Summary() {}

  static String of(TrainingResult result) {
    StringBuilder text = new StringBuilder();
    text.append(
        ROW.formatted(
            "epoch",
            "time",
            "samples/s",
            "waited for data",
            "hits",
            "misses",
            "origin loads",
            "loss"));
    for (EpochResult epoch : result.epochs()) {
      text.append(row(epoch));
    }
    text.append(
        format("%ntest accuracy %.1f %%%n%s%n", 100 * result.testAccuracy(), bought(result)));
    return text.toString();
  }

  private static String row(EpochResult epoch) {
    CacheReads reads = epoch.reads();
    return format(
        ROW,
        epoch.epoch(),
        format("%.2f s", epoch.seconds()),
        format("%,.0f", epoch.samplesPerSecond()),
        format(
            "%.2f s (%2.0f %%)",
            epoch.dataWaitSeconds(), 100 * epoch.dataWaitSeconds() / epoch.seconds()),
        reads == null ? "-" : format("%,d", reads.hits()),
        reads == null ? "-" : format("%,d", reads.misses()),
        format("%,d", epoch.originLoads()),
        format("%.4f", epoch.loss()));
  }

  /**
   * One sentence: what the cache bought. That is waiting of epoch 1 which later epochs were spared,
   * and no more than loading the samples took: the rest is a process that was still warming up.
   */
  private static String bought(TrainingResult result) {
    EpochResult first = result.epochs().get(0);
    List<EpochResult> later = result.epochs().subList(1, result.epochs().size());
    if (first.reads() == null) {
      return format(
          "No cache: all %,d samples were loaded again in each epoch; run it without --no-cache to"
              + " compare.",
          first.originLoads());
    }
    if (first.originLoads() == 0) {
      return "The cache had every sample before the first epoch: nothing was loaded; run it with"
          + " --no-cache to compare.";
    }
    if (later.isEmpty()) {
      return "One epoch only fills the cache; run two or more to see what it buys.";
    }
    double laterWait = mean(later, EpochResult::dataWaitSeconds);
    double saved = Math.min(first.dataWaitSeconds() - laterWait, first.originSeconds());
    String epochs =
        format(
            "epoch 1 waited %.2f s for data and ran at %,.0f samples/s, later ones %.2f s at %,.0f",
            first.dataWaitSeconds(),
            first.samplesPerSecond(),
            laterWait,
            mean(later, EpochResult::samplesPerSecond));
    if (saved < NOTEWORTHY * first.seconds()) {
      return format(
          "The cache bought little here: loading all samples takes %.2f s of loader time, hardly"
              + " what the model waits for (%s, which is mostly warming up).",
          first.originSeconds(), epochs);
    }
    return format("The cache bought %.2f s an epoch: %s.", saved, epochs);
  }

  private static double mean(List<EpochResult> epochs, ToDoubleFunction<EpochResult> figure) {
    return epochs.stream().mapToDouble(figure).average().orElseThrow();
  }

  private static String format(String format, Object... arguments) {
    return String.format(Locale.ROOT, format, arguments);
  }
}
