package io.trainingday.node.capacity;

import java.util.function.LongSupplier;

/** Spreads bytes evenly over time. For any number of threads. */
final class Pace {
  /** What was missed in so long may be made up for: pauses last longer than asked for. */
  private static final long BURST_NANOS = 250_000_000;

  private static final double NANOS_PER_SECOND = 1e9;

  private final double nanosPerByte;
  private final LongSupplier nanoTime;
  private long due;

  Pace(long bytesPerSecond, LongSupplier nanoTime) {
    nanosPerByte = NANOS_PER_SECOND / bytesPerSecond;
    this.nanoTime = nanoTime;
    due = nanoTime.getAsLong();
  }

  /** Counts {@code bytes} and returns for how long no more should come, 0 when none. */
  synchronized long passed(long bytes) {
    long now = nanoTime.getAsLong();
    if (now - due > BURST_NANOS) {
      due = now - BURST_NANOS;
    }
    due += (long) (bytes * nanosPerByte);
    return Math.max(0, due - now);
  }
}
