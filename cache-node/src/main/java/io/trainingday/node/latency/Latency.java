package io.trainingday.node.latency;

import java.util.Arrays;
import java.util.concurrent.atomic.LongAdder;

/**
 * How long something took, each time: a histogram with fixed buckets. Counting costs some 20 ns,
 * whatever the number of threads that count.
 */
public final class Latency {
  private static final long MICROS = 1_000;
  private static final long MILLIS = 1_000 * MICROS;
  private static final long SECONDS = 1_000 * MILLIS;

  /** From one small sample in shared memory to a wait that is about to be given up. */
  private static final long[] MOST_NANOS = {
    50 * MICROS,
    100 * MICROS,
    250 * MICROS,
    500 * MICROS,
    MILLIS,
    2_500 * MICROS,
    5 * MILLIS,
    10 * MILLIS,
    25 * MILLIS,
    50 * MILLIS,
    100 * MILLIS,
    250 * MILLIS,
    500 * MILLIS,
    SECONDS,
    2_500 * MILLIS,
    10 * SECONDS
  };

  private final LongAdder[] counts = new LongAdder[MOST_NANOS.length + 1];
  private final LongAdder nanos = new LongAdder();

  public Latency() {
    Arrays.setAll(counts, unused -> new LongAdder());
  }

  /** Counts one time; a negative one as none. Safe for any number of threads. */
  public void count(long took) {
    int bucket = 0;
    while (bucket < MOST_NANOS.length && took > MOST_NANOS[bucket]) {
      bucket++;
    }
    counts[bucket].increment();
    nanos.add(Math.max(0, took));
  }

  /** What has been counted so far; what is counted meanwhile may be in it or not. */
  public Snapshot snapshot() {
    return new Snapshot(Arrays.stream(counts).mapToLong(LongAdder::sum).toArray(), nanos.sum());
  }

  /**
   * What was counted up to a time.
   *
   * @param counts of each bucket alone; the last one is for what took longer than all others hold
   * @param nanos of all together
   */
  @SuppressWarnings("ArrayRecordComponent") // It is a value, made for one reader.
  public record Snapshot(long[] counts, long nanos) {
    /** The longest time that is counted in a bucket, infinite for the last one. */
    public double mostSeconds(int bucket) {
      return bucket < MOST_NANOS.length
          ? (double) MOST_NANOS[bucket] / SECONDS
          : Double.POSITIVE_INFINITY;
    }

    /** How many times were counted. */
    public long count() {
      return Arrays.stream(counts).sum();
    }
  }
}
