package io.trainingday.node.membership;

import java.util.concurrent.TimeUnit;

/**
 * Tells waiting threads that something has changed. Look at {@link #count}, then at what may have
 * changed, then wait for the count to move: no change is missed.
 */
final class Signal {
  // Guarded by this.
  private long count;

  synchronized long count() {
    return count;
  }

  synchronized void raise() {
    count++;
    notifyAll();
  }

  /** Waits until the count is not {@code seen} any more, or for a time. */
  synchronized void await(long seen, long nanos) throws InterruptedException {
    long deadline = System.nanoTime() + nanos;
    while (count == seen) {
      long left = deadline - System.nanoTime();
      if (left <= 0) {
        return;
      }
      TimeUnit.NANOSECONDS.timedWait(this, left);
    }
  }
}
