package io.trainingday.node.store;

import java.util.concurrent.atomic.AtomicIntegerArray;
import java.util.concurrent.locks.LockSupport;

/**
 * Lets readers in until it is closed, and tells when the last one is out.
 *
 * <h2>Why not a read-write lock</h2>
 *
 * Every read of every record passes here, so one shared counter would be the hottest cache line of
 * the node. Each thread counts itself on a stripe of its own instead (threads may share one, that
 * only costs speed), and only closing looks at all of them.
 *
 * <h2>Why it is sound</h2>
 *
 * A reader first counts itself, then looks at {@code closed}. Closing first sets {@code closed},
 * then looks at the counts. All four are volatile accesses and so have one total order: either the
 * closer sees the count and waits, or the reader sees {@code closed} and turns back. A stripe that
 * was seen at zero after {@code closed} was set can only be raised again by readers that turn back.
 */
final class ReadGate {
  /** 128 bytes: a cache line and the one that is fetched along with it. */
  private static final int INTS_PER_STRIPE = 32;

  private static final long CLOSE_POLL_NANOS = 20_000;

  private final int stripeMask;
  private final AtomicIntegerArray inside;
  private volatile boolean closed;

  ReadGate() {
    int stripes = Integer.highestOneBit(Runtime.getRuntime().availableProcessors()) * 4;
    stripeMask = stripes - 1;
    // The first stripe stays clear of the array's header, which every access reads.
    inside = new AtomicIntegerArray((stripes + 1) * INTS_PER_STRIPE);
  }

  /** False when the gate is closed; otherwise the same thread must call {@link #leave}. */
  boolean enter() {
    int stripe = stripe();
    inside.incrementAndGet(stripe);
    if (closed) {
      inside.decrementAndGet(stripe);
      return false;
    }
    return true;
  }

  void leave() {
    inside.decrementAndGet(stripe());
  }

  /** Lets nobody in any more and returns when everybody has left. Not from inside. */
  void close() {
    closed = true;
    for (int stripe = 0; stripe <= stripeMask; stripe++) {
      while (inside.get((stripe + 1) * INTS_PER_STRIPE) != 0) {
        LockSupport.parkNanos(this, CLOSE_POLL_NANOS);
      }
    }
  }

  private int stripe() {
    return (((int) Thread.currentThread().getId() & stripeMask) + 1) * INTS_PER_STRIPE;
  }
}
