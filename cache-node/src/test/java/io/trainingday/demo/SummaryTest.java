package io.trainingday.demo;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

final class SummaryTest {
  @Test
  void of_runWithCache_showsTableAccuracyAndWhatWasBought() {
    assertThat(
            summary(
                epoch(1, 4, 3, new CacheReads(0, 2_000)),
                epoch(2, 1, 0.05, new CacheReads(2_000, 0)),
                epoch(3, 1, 0.15, new CacheReads(2_000, 0))))
        .isEqualTo(
            """
            epoch       time  samples/s     waited for data       hits     misses  origin loads      loss
                1     4.00 s        500       3.00 s (75 %)          0      2,000         2,000    1.0000
                2     1.00 s      2,000       0.05 s ( 5 %)      2,000          0             0    0.5000
                3     1.00 s      2,000       0.15 s (15 %)      2,000          0             0    0.3333

            test accuracy 97.5 %
            The cache bought 2.90 s an epoch: epoch 1 waited 3.00 s for data and ran at 500 samples/s, later ones 0.10 s at 2,000.
            """);
  }

  @Test
  void of_loadingThatNeverLimited_saysThatTheCacheBoughtLittle() {
    assertThat(
            summary(
                epoch(1, 4, 1.5, 0.03, new CacheReads(0, 2_000)),
                epoch(2, 1, 0.02, new CacheReads(2_000, 0))))
        .endsWith(
            "The cache bought little here: loading all samples takes 0.03 s of loader time, hardly"
                + " what the model waits for (epoch 1 waited 1.50 s for data and ran at 500"
                + " samples/s, later ones 0.02 s at 2,000, which is mostly warming up).\n");
  }

  @Test
  void of_oneEpoch_saysThatItOnlyFills() {
    assertThat(summary(epoch(1, 4, 3, new CacheReads(0, 2_000))))
        .endsWith("One epoch only fills the cache; run two or more to see what it buys.\n");
  }

  @Test
  void of_warmCache_saysThatNothingWasLoaded() {
    assertThat(summary(epoch(1, 1, 0.05, new CacheReads(2_000, 0))))
        .endsWith(
            "The cache had every sample before the first epoch: nothing was loaded; run it with"
                + " --no-cache to compare.\n");
  }

  @Test
  void of_runWithoutCache_hasNoHitsAndSaysSo() {
    assertThat(summary(epoch(1, 4, 3, null)))
        .contains("3.00 s (75 %)          -          -         2,000")
        .endsWith(
            "No cache: all 2,000 samples were loaded again in each epoch; run it without --no-cache"
                + " to compare.\n");
  }

  private static String summary(EpochResult... epochs) {
    return Summary.of(new TrainingResult(List.of(epochs), 0.975, "00"));
  }

  private static EpochResult epoch(
      int number, double seconds, double wait, @Nullable CacheReads reads) {
    return epoch(number, seconds, wait, 6, reads);
  }

  private static EpochResult epoch(
      int number, double seconds, double wait, double loading, @Nullable CacheReads reads) {
    long loads = reads == null ? 2_000 : reads.misses();
    return new EpochResult(number, 2_000, seconds, wait, reads, loads, loading, 1.0 / number);
  }
}
