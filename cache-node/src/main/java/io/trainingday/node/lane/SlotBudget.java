package io.trainingday.node.lane;

import java.util.concurrent.atomic.AtomicLong;

/** The shared memory that all trainers of a node may have together. Thread-safe. */
final class SlotBudget {
  private final long maxBytes;
  private final AtomicLong bytes = new AtomicLong();

  SlotBudget(long maxBytes) {
    this.maxBytes = maxBytes;
  }

  long maxBytes() {
    return maxBytes;
  }

  /** Bytes that are taken. */
  long bytes() {
    return bytes.get();
  }

  boolean tryTake(long wanted) {
    if (bytes.addAndGet(wanted) > maxBytes) {
      give(wanted);
      return false;
    }
    return true;
  }

  void give(long taken) {
    bytes.addAndGet(-taken);
  }
}
