package io.trainingday.client;

import io.trainingday.sampling.EpochPlan;
import java.time.Duration;
import java.util.regex.Pattern;

/**
 * The trainers of one job that agree through the grid on who reads what, and which of them this is.
 *
 * @param job of the trainers, 1–128 of {@code A–Z a–z 0–9 . _ -}; no other job may have the same
 * @param attempt told apart by what changes when the job is started anew; as {@code job}
 * @param rank 0 to worldSize − 1
 * @param worldSize how many there are, 1–65,535
 * @param deadline how long to wait for the others, 1 ms–1 h
 */
public record RankGroup(String job, String attempt, int rank, int worldSize, Duration deadline) {
  private static final Pattern NAME = Pattern.compile("[A-Za-z0-9._-]{1,128}");
  private static final Duration LONGEST = Duration.ofHours(1);

  public RankGroup {
    requireName("job", job);
    requireName("attempt", attempt);
    EpochPlan.requireRank(rank, worldSize);
    if (deadline.compareTo(Duration.ofMillis(1)) < 0 || deadline.compareTo(LONGEST) > 0) {
      throw new IllegalArgumentException("deadline=%s, allowed: 1 ms–1 h".formatted(deadline));
    }
  }

  private static void requireName(String what, String name) {
    if (!NAME.matcher(name).matches()) {
      throw new IllegalArgumentException(
          "%s='%s', allowed: 1–128 of A–Z a–z 0–9 . _ -".formatted(what, name));
    }
  }
}
