package io.trainingday.node.tier;

import io.trainingday.grid.BoundedLoadAffinity;
import io.trainingday.grid.SampleKey;
import io.trainingday.node.versions.VersionKeys.Reach;
import java.util.Arrays;
import java.util.BitSet;
import java.util.concurrent.TimeUnit;
import java.util.function.Function;
import java.util.function.LongSupplier;
import java.util.function.Supplier;

/**
 * Tells which records on this node's disk are of no use. Safe for any number of threads.
 *
 * <ul>
 *   <li><b>Versions, incarnations and indices that nobody asks for any more</b> are of no use at
 *       once: the grid has a version key of that data set, and it says so. A data set without a
 *       version key is another matter: after a restart it may be that its key has yet to come, or
 *       that nobody has opened it yet. When somebody does, it has its old incarnation again, or a
 *       new one, and then the records here are seen to be of no use.
 *   <li><b>Records of partitions that are other nodes' now</b> are of no use when they have been
 *       for four hours: until then the new owners ask for them.
 * </ul>
 *
 * <p>When room is wanted, more is of little use: foreign records after ten minutes, and those of
 * data sets that nobody has opened for an hour since this node's start.
 */
final class Usefulness {
  /** As long as a longer epoch: by then whoever owns them has asked for them. */
  static final long FOREIGN_TERM_NANOS = TimeUnit.HOURS.toNanos(4);

  static final long FOREIGN_TERM_FOR_ROOM_NANOS = TimeUnit.MINUTES.toNanos(10);
  static final long UNKNOWN_TERM_FOR_ROOM_NANOS = TimeUnit.HOURS.toNanos(1);

  private static final long HELD = -1;

  private final Function<SampleKey, Reach> reach;
  private final Supplier<BitSet> held;
  private final LongSupplier nanoTime;
  private final long startNanos;

  /**
   * When each partition was found to be with other nodes alone, since the start. Guarded by this.
   */
  private final long[] foreignSince;

  /**
   * @param reach whether a record may ever be asked for again
   * @param held the partitions that are this node's, for any number of backups
   */
  Usefulness(
      Function<SampleKey, Reach> reach,
      int partitions,
      Supplier<BitSet> held,
      LongSupplier nanoTime) {
    this.reach = reach;
    this.held = held;
    this.nanoTime = nanoTime;
    startNanos = nanoTime.getAsLong();
    foreignSince = new long[partitions];
    Arrays.fill(foreignSince, HELD);
    ownersChanged();
  }

  /** Looks anew which partitions are held here. */
  synchronized void ownersChanged() {
    BitSet here = held.get();
    long now = nanoTime.getAsLong() - startNanos;
    for (int partition = 0; partition < foreignSince.length; partition++) {
      if (here.get(partition)) {
        foreignSince[partition] = HELD;
      } else if (foreignSince[partition] == HELD) {
        foreignSince[partition] = now;
      }
    }
  }

  private synchronized boolean isForeignFor(int partition, long nanos) {
    long since = foreignSince[partition];
    return since != HELD && nanoTime.getAsLong() - startNanos - since > nanos;
  }

  boolean isOfNoUse(SampleKey key) {
    return reach.apply(key) == Reach.UNREACHABLE
        || isForeignFor(partition(key), FOREIGN_TERM_NANOS);
  }

  /** Whether it may go when room is wanted. */
  boolean isOfLittleUse(SampleKey key) {
    return switch (reach.apply(key)) {
      case UNREACHABLE -> true;
      case UNKNOWN -> nanoTime.getAsLong() - startNanos > UNKNOWN_TERM_FOR_ROOM_NANOS;
      case REACHABLE -> isForeignFor(partition(key), FOREIGN_TERM_FOR_ROOM_NANOS);
    };
  }

  int partition(SampleKey key) {
    return BoundedLoadAffinity.partition(key.index(), foreignSince.length);
  }
}
