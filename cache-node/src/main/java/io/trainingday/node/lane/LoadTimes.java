package io.trainingday.node.lane;

import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * How long one trainer takes to load samples, as far as its node can tell: from the reply that left
 * samples of a batch to it, to the last record of them, by the number of these records. What lies
 * between is more than the loading, such as the way there and back and batches read ahead, so it is
 * never less than what loading costs the trainer. On the connection's thread.
 */
final class LoadTimes {
  /** Leases that are remembered. */
  private static final int MOST_LEASES = 1 << 14;

  /** What one reply left to the trainer. */
  private static final class Given {
    final ReadCounters counters;
    final long sinceNanos;
    int open;
    int filled;

    Given(ReadCounters counters, long sinceNanos, int open) {
      this.counters = counters;
      this.sinceNanos = sinceNanos;
      this.open = open;
    }
  }

  private final Map<Long, Given> byLease = new LinkedHashMap<>();

  /** A reply with these leases is about to be sent. */
  void given(ReadCounters counters, long[] leases, long nowNanos) {
    if (leases.length == 0) {
      return;
    }
    Given given = new Given(counters, nowNanos, leases.length);
    for (long lease : leases) {
      byLease.put(lease, given);
    }
    // Of leases that ended without a word, as those that have run out.
    Iterator<Given> oldest = byLease.values().iterator();
    while (byLease.size() > MOST_LEASES) {
      var unused = oldest.next();
      oldest.remove();
    }
  }

  /** The record of a lease has come; again if it was sent back before, which counts once. */
  void filled(long lease, long nowNanos) {
    Given given = byLease.remove(lease);
    if (given != null) {
      given.filled++;
      end(given, nowNanos);
    }
  }

  /** The trainer gave these back without a record. */
  void abandoned(long[] leases, long nowNanos) {
    for (long lease : leases) {
      @Nullable Given given = byLease.remove(lease);
      if (given != null) {
        end(given, nowNanos);
      }
    }
  }

  private static void end(Given given, long nowNanos) {
    if (--given.open == 0 && given.filled > 0) {
      given.counters.timedLoads.add(given.filled);
      given.counters.loadNanos.add(nowNanos - given.sinceNanos);
    }
  }
}
