package io.trainingday.demo;

import java.util.Arrays;

/**
 * Splits a data set into 80 % to train on and 20 % (rounded up) to test on.
 *
 * <p>The same for every run and every {@code --seed}: otherwise accuracies could not be compared,
 * and a cached training set would hold other samples under the same index.
 */
final class HeldOutSplit {
  private static final long SEED = 0x7465737473706c69L;

  private final int[] train;
  private final int[] test;

  private HeldOutSplit(int[] train, int[] test) {
    this.train = train;
    this.test = test;
  }

  static HeldOutSplit of(int size) {
    int[] order = SeededPermutation.of(size, SEED);
    int testSize = (size + 4) / 5;
    return new HeldOutSplit(
        Arrays.copyOfRange(order, testSize, size), Arrays.copyOfRange(order, 0, testSize));
  }

  int[] train() {
    return train.clone();
  }

  int[] test() {
    return test.clone();
  }
}
