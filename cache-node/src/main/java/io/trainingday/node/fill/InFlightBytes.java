package io.trainingday.node.fill;

import java.util.concurrent.atomic.AtomicLong;

/**
 * The bytes of records that this node has taken from trainers and peers and not stored, passed on
 * or dropped yet: one budget for all ways they go. Safe for any number of threads.
 */
public final class InFlightBytes {
  /** About what a record costs beside its bytes, so tiny ones count. */
  private static final int OVERHEAD_BYTES = 256;

  private final long max;
  private final boolean oneOfAnySize;
  private final AtomicLong bytes = new AtomicLong();

  /**
   * @param max bytes, from 1
   */
  public InFlightBytes(long max) {
    this(max, false);
  }

  private InFlightBytes(long max, boolean oneOfAnySize) {
    this.max = max;
    this.oneOfAnySize = oneOfAnySize;
  }

  /**
   * A budget that takes a record of any size when nothing else is in flight, so that it may be
   * smaller than the largest record.
   *
   * @param max bytes, from 1
   */
  public static InFlightBytes orOneRecord(long max) {
    return new InFlightBytes(max, true);
  }

  /** Whether a record of that length could be taken if nothing else were in flight. */
  public boolean couldTake(int recordBytes) {
    return oneOfAnySize || cost(recordBytes) <= max;
  }

  /** Counts a record in, or says that there is no room now. */
  public boolean tryTake(int recordBytes) {
    long cost = cost(recordBytes);
    for (long before = bytes.get();
        before + cost <= max || (oneOfAnySize && before == 0);
        before = bytes.get()) {
      if (bytes.compareAndSet(before, before + cost)) {
        return true;
      }
    }
    return false;
  }

  /** Counts a record out. */
  public void give(int recordBytes) {
    bytes.addAndGet(-cost(recordBytes));
  }

  /** What is in flight now. */
  public long bytes() {
    return bytes.get();
  }

  private static long cost(int recordBytes) {
    return recordBytes + (long) OVERHEAD_BYTES;
  }
}
