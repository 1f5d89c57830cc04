package io.trainingday.client;

import java.util.function.LongSupplier;

/**
 * Spreads work over time. What is done is charged, and the next may begin when that much time has
 * passed: in any stretch of time no more is begun than its share and the one piece it began with.
 * Time not used is not saved up. Not thread-safe.
 */
final class Throttle {
  private static final double NANOS_PER_SECOND = 1e9;

  private final double perSecond;
  private final LongSupplier nanoTime;
  private double busyNanos;
  private long sinceNanos;

  /**
   * @param perSecond positive; infinite for no limit
   */
  Throttle(double perSecond, LongSupplier nanoTime) {
    this.perSecond = perSecond;
    this.nanoTime = nanoTime;
    this.sinceNanos = nanoTime.getAsLong();
  }

  /** So much has been begun now. */
  void charge(double amount) {
    busyNanos = delayNanos() + amount / perSecond * NANOS_PER_SECOND;
    sinceNanos = nanoTime.getAsLong();
  }

  /** How long to wait before the next piece; 0 if it may begin. */
  long delayNanos() {
    return (long) Math.max(0, busyNanos - (nanoTime.getAsLong() - sinceNanos));
  }

  /** How much is as good as a quarter of a second, at least one. */
  long piece() {
    return (long) Math.max(1, Math.min(Long.MAX_VALUE, perSecond / 4));
  }
}
