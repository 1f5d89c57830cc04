package io.trainingday.sampling;

/**
 * A shuffle of 0 … length − 1 in no memory: a Feistel network over the next even number of bits,
 * walked until it lands within the length. Immutable.
 *
 * <p>The domain is less than four times the length, so a walk takes fewer than four passes on
 * average. Six rounds do from 16 bits on; fewer bits need many more to look random, and the few
 * samples they stand for do not mind.
 */
final class KeyedBijection {
  private static final int WIDE_HALF = 8;
  private static final int WIDE_ROUNDS = 6;
  private static final int NARROW_ROUNDS = 24;

  private final long length;
  private final int half;
  private final long mask;
  private final long[] keys;

  /**
   * @param length at least 1
   * @param base what the keys are derived from
   */
  KeyedBijection(long length, long base) {
    this.length = length;
    int bits = Math.max(2, Long.SIZE - Long.numberOfLeadingZeros(length - 1));
    half = (bits + 1) / 2;
    mask = (1L << half) - 1;
    keys = new long[half >= WIDE_HALF ? WIDE_ROUNDS : NARROW_ROUNDS];
    for (int k = 0; k < keys.length; k++) {
      keys[k] = Mix.mix(base + (k + 1) * Mix.GAMMA);
    }
  }

  long apply(long position) {
    if (length == 1) {
      return 0;
    }
    long x = position;
    do {
      x = pass(x);
    } while (x >= length);
    return x;
  }

  private long pass(long x) {
    long left = x >>> half;
    long right = x & mask;
    int shift = Long.SIZE - half;
    for (long key : keys) {
      long t = (right ^ key) * 0xBF58476D1CE4E5B9L;
      t = (t ^ (t >>> 32)) * 0x94D049BB133111EBL;
      long next = left ^ (t >>> shift);
      left = right;
      right = next;
    }
    return (left << half) | right;
  }
}
