package io.trainingday.demo;

import java.util.SplittableRandom;

/** A shuffle of {@code 0..size-1} that depends on its arguments alone, never on a global state. */
final class SeededPermutation {
  private SeededPermutation() {}

  static int[] of(int size, long seed) {
    int[] order = new int[size];
    SplittableRandom random = new SplittableRandom(seed);
    for (int i = 0; i < size; i++) {
      int j = random.nextInt(i + 1);
      order[i] = order[j];
      order[j] = i;
    }
    return order;
  }
}
