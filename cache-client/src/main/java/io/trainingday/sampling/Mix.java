package io.trainingday.sampling;

/** The finaliser of SplitMix64, which keys, states and sums of visits are made with. */
final class Mix {
  static final long GAMMA = 0x9E3779B97F4A7C15L;

  private Mix() {}

  static long mix(long value) {
    long z = value;
    z = (z ^ (z >>> 30)) * 0xBF58476D1CE4E5B9L;
    z = (z ^ (z >>> 27)) * 0x94D049BB133111EBL;
    return z ^ (z >>> 31);
  }

  /** What the keys of an epoch's order come from. */
  static long base(long seed, long epoch) {
    return mix(mix(seed + GAMMA) + epoch);
  }
}
