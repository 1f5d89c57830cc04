package io.trainingday.grid;

import java.util.Arrays;
import java.util.List;

/**
 * How many of {@code total} things each node is to hold, by its budget: the floor or the ceiling of
 * {@code total × budget ÷ sum of budgets}. No node gets more than {@code cap}; what it would have
 * got beyond goes to the others, again by budget.
 */
final class Shares {
  // Budgets count in such units: 2^36 of them at most, times 2^17 things, fit a long.
  private static final long BUDGET_UNIT = 1 << 10;

  private final int total;
  private final int[] floor;
  private final int[] ceiling;

  private Shares(int total, int[] floor, int[] ceiling) {
    this.total = total;
    this.floor = floor;
    this.ceiling = ceiling;
  }

  /**
   * @param total at most {@code cap} a node
   */
  static Shares of(int total, int cap, List<Seat> seats) {
    long[] weights =
        seats.stream().mapToLong(seat -> Math.max(1, seat.budgetBytes() / BUDGET_UNIT)).toArray();
    int[] floor = new int[weights.length];
    int[] ceiling = new int[weights.length];
    boolean[] full = new boolean[weights.length];
    long rest = total;
    long restWeight = Arrays.stream(weights).sum();
    // A full node leaves the others more, so others may become full in turn.
    for (boolean again = true; again; ) {
      again = false;
      for (int node = 0; node < weights.length; node++) {
        if (!full[node] && rest * weights[node] > cap * restWeight) {
          full[node] = true;
          floor[node] = cap;
          ceiling[node] = cap;
          rest -= cap;
          restWeight -= weights[node];
          again = true;
        }
      }
    }
    for (int node = 0; node < weights.length; node++) {
      if (!full[node]) {
        long share = rest * weights[node];
        floor[node] = Math.toIntExact(share / restWeight);
        ceiling[node] = floor[node] + (share % restWeight == 0 ? 0 : 1);
      }
    }
    return new Shares(total, floor, ceiling);
  }

  /**
   * The number for each node: as near to what it holds as may be, so that few things move.
   *
   * @param slack how many fewer than its floor, or more than its ceiling, a node may keep if it
   *     holds so many
   */
  int[] quotas(int[] held, int slack) {
    int[] quotas = new int[floor.length];
    for (int node = 0; node < quotas.length; node++) {
      int least = held[node] < floor[node] - slack ? floor[node] : floor[node] - slack;
      int most = held[node] > ceiling[node] + slack ? ceiling[node] : ceiling[node] + slack;
      quotas[node] = Math.max(least, Math.min(held[node], most));
    }
    int missing = total - Arrays.stream(quotas).sum();
    for (; missing > 0; missing--) {
      quotas[lowest(quotas)]++;
    }
    for (; missing < 0; missing++) {
      quotas[highest(quotas)]--;
    }
    return quotas;
  }

  private int lowest(int[] quotas) {
    int lowest = -1;
    for (int node = 0; node < quotas.length; node++) {
      if (quotas[node] < ceiling[node]
          && (lowest < 0 || quotas[node] - floor[node] < quotas[lowest] - floor[lowest])) {
        lowest = node;
      }
    }
    return lowest;
  }

  private int highest(int[] quotas) {
    int highest = -1;
    for (int node = 0; node < quotas.length; node++) {
      if (quotas[node] > floor[node]
          && (highest < 0 || quotas[node] - ceiling[node] > quotas[highest] - ceiling[highest])) {
        highest = node;
      }
    }
    return highest;
  }

  /** Whether the node may hold so many: its floor or its ceiling. */
  boolean allows(int node, int count) {
    return floor[node] <= count && count <= ceiling[node];
  }
}
