package io.trainingday.grid;

import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.function.IntPredicate;
import java.util.stream.IntStream;

/**
 * How many of {@code total} things each node is to hold, by its budget: the floor or the ceiling of
 * {@code total × budget ÷ sum of budgets}. No node gets more than its cap; what it would have got
 * beyond goes to the others, again by budget.
 */
final class Shares {
  // Budgets count in such units: 2^36 of them at most, times 2^17 things, fit a long.
  private static final long BUDGET_UNIT = 1 << 10;

  private final int[] floor;
  private final boolean[] fractional;
  private final int left;

  private Shares(int[] floor, boolean[] fractional, int left) {
    this.floor = floor;
    this.fractional = fractional;
    this.left = left;
  }

  /**
   * @param total at most the sum of caps
   */
  static Shares of(int total, List<Seat> seats, int[] caps) {
    long[] weights =
        seats.stream().mapToLong(seat -> Math.max(1, seat.budgetBytes() / BUDGET_UNIT)).toArray();
    int[] floor = new int[weights.length];
    boolean[] fractional = new boolean[weights.length];
    boolean[] capped = new boolean[weights.length];
    long rest = total;
    long restWeight = Arrays.stream(weights).sum();
    // A capped node leaves the others more, so others may reach the cap in turn.
    for (boolean again = true; again; ) {
      again = false;
      for (int node = 0; node < weights.length; node++) {
        if (!capped[node] && rest * weights[node] > caps[node] * restWeight) {
          capped[node] = true;
          floor[node] = caps[node];
          rest -= caps[node];
          restWeight -= weights[node];
          again = true;
        }
      }
    }
    int left = Math.toIntExact(rest);
    for (int node = 0; node < weights.length; node++) {
      if (!capped[node]) {
        long share = rest * weights[node];
        floor[node] = Math.toIntExact(share / restWeight);
        fractional[node] = share % restWeight != 0;
        left -= floor[node];
      }
    }
    return new Shares(floor, fractional, left);
  }

  /**
   * The number for each node. Those that hold more than their floor already get the ceiling first,
   * so that few things move; among equals, those of lower rank.
   *
   * @param lenient whether a node that lacks one to its floor gets it only where something is free,
   *     rather than have another node give it up
   */
  int[] quotas(int[] held, int[] rank, boolean lenient) {
    int[] quotas = floor.clone();
    int rest = left;
    for (int node = 0; lenient && node < quotas.length; node++) {
      if (held[node] == floor[node] - 1) {
        quotas[node]--;
        rest++;
      }
    }
    rest -= raise(quotas, rest, rank, node -> fractional[node] && held[node] > floor[node]);
    rest -= raise(quotas, rest, rank, node -> quotas[node] < floor[node]);
    raise(quotas, rest, rank, node -> fractional[node] && quotas[node] == floor[node]);
    return quotas;
  }

  /** Gives one more to so many of these nodes; returns to how many. */
  private static int raise(int[] quotas, int most, int[] rank, IntPredicate which) {
    int[] raised =
        IntStream.range(0, quotas.length)
            .filter(which)
            .boxed()
            .sorted(Comparator.comparingInt(node -> rank[node]))
            .limit(most)
            .mapToInt(Integer::intValue)
            .toArray();
    for (int node : raised) {
      quotas[node]++;
    }
    return raised.length;
  }

  /** Whether the node may hold so many: its floor or its ceiling. */
  boolean allows(int node, int count) {
    return count == floor[node] || (fractional[node] && count == floor[node] + 1);
  }
}
