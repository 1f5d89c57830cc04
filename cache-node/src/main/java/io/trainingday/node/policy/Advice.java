package io.trainingday.node.policy;

import io.trainingday.config.SettingKey;
import io.trainingday.config.Settings.Policy;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;

/**
 * What can be expected of a policy, and what to do about it.
 *
 * <p>With one permutation of all samples per pass, each sample is read once between two reads of
 * the same one. So no policy finds more than c, the part of the data set that the cache holds;
 * {@code pin} finds c. What {@code lru} holds is what was read last, and of a sample read at place
 * x of one pass and y of the next one it has kept the record if fewer than c of all were read in
 * between, which comes to c + (1 - c) ln(1 - c).
 */
public final class Advice {
  /** From here on, all of it is as good as held. */
  private static final double ALL = 0.99;

  /** Below, the cache saves less than it costs to think about. */
  private static final double LITTLE = 0.05;

  private static final double PERCENT = 100;
  private static final double MILLIS = 1_000;

  private Advice() {}

  /** The part of all reads that {@code lru} finds under permutations, of a cache that holds c. */
  public static double lruHitRate(double held) {
    return held >= 1 ? 1 : held + (1 - held) * Math.log1p(-held);
  }

  /**
   * What is not as it should be, a sentence each.
   *
   * @param policy by which records give way; {@code PIN} on disk, where none do
   * @param best part of the data set that the budget holds, 0–1
   * @param toRaise the settings that give it more
   */
  public static List<String> on(String dataset, Policy policy, double best, String toRaise) {
    List<String> warnings = new ArrayList<>();
    if (best < ALL && policy != Policy.PIN) {
      warnings.add(
          String.format(
              Locale.ROOT,
              "policy=%s keeps less than pin would while each epoch reads all samples once: %s of"
                  + " reads hit where pin has %.1f %%; `training-day dataset %s policy=pin`",
              SettingKey.DATASET_POLICY.format(policy),
              policy == Policy.LRU
                  ? String.format(Locale.ROOT, "%.1f %%", PERCENT * lruHitRate(best))
                  : "fewer",
              PERCENT * best,
              dataset));
    }
    if (best < LITTLE) {
      warnings.add(
          String.format(
              Locale.ROOT,
              "the budget holds %.1f %% of the data set, too little to matter; raise %s, or add"
                  + " nodes",
              PERCENT * best,
              toRaise));
    }
    return warnings;
  }

  /**
   * What to say of a data set of which nothing has been taken.
   *
   * @param refused records, all of those that came
   * @param toRaise the settings that give it more
   */
  public static String onNothingTaken(String dataset, long refused, String toRaise) {
    return String.format(
        Locale.ROOT,
        "none of its records is held, all %,d that came found no room; raise %s, add nodes, or keep"
            + " a part of the memory for it: `training-day dataset %s guaranteed=10%%`",
        refused,
        toRaise,
        dataset);
  }

  /**
   * What to say where the cache costs more than it saves, if it does.
   *
   * @param loadSeconds a sample, no less than it takes to load one
   * @param readSeconds a sample, no more than it takes to read one from the cache
   */
  public static Optional<String> onLoading(double loadSeconds, double readSeconds) {
    return loadSeconds < readSeconds
        ? Optional.of(
            String.format(
                Locale.ROOT,
                "a sample is loaded in %.3f ms at most, and read from the cache in %.3f ms: loading"
                    + " is cheaper, so cache it after more of the work, or not at all",
                MILLIS * loadSeconds,
                MILLIS * readSeconds))
        : Optional.empty();
  }
}
