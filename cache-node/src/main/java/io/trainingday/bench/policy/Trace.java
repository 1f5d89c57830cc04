package io.trainingday.bench.policy;

import java.util.Arrays;
import java.util.Locale;
import java.util.SplittableRandom;

/** In which order one job reads its samples: as many reads an epoch as there are samples. */
enum Trace {
  /** All samples once, in another order each time. */
  PERMUTATION {
    @Override
    int[] epoch(int epoch, int samples, SplittableRandom random) {
      return shuffled(samples, random);
    }
  },
  /** All samples once, always in the same order. */
  SEQUENTIAL {
    @Override
    int[] epoch(int epoch, int samples, SplittableRandom random) {
      return identity(samples);
    }
  },
  /** Any sample at any time, the k-th with a probability of 1/k of that of the first. */
  ZIPF {
    @Override
    int[] epoch(int epoch, int samples, SplittableRandom random) {
      double[] upTo = new double[samples];
      double sum = 0;
      for (int k = 0; k < samples; k++) {
        sum += 1.0 / (k + 1);
        upTo[k] = sum;
      }
      int[] reads = new int[samples];
      for (int i = 0; i < samples; i++) {
        int found = Arrays.binarySearch(upTo, random.nextDouble() * sum);
        // Scattered, so that popular samples do not share partitions.
        reads[i] = (int) ((found < 0 ? -found - 1 : found) * 7_919L % samples);
      }
      return reads;
    }
  },
  /** The easy samples first: those that are read become more with each epoch, shuffled. */
  CURRICULUM {
    @Override
    int[] epoch(int epoch, int samples, SplittableRandom random) {
      int easy = Math.min(samples, samples * (epoch + 2) / CURRICULUM_EPOCHS);
      int[] reads = new int[samples];
      int[] order = shuffled(easy, random);
      for (int i = 0; i < samples; i++) {
        if (i % easy == 0 && i > 0) {
          order = shuffled(easy, random);
        }
        reads[i] = order[i % easy];
      }
      return reads;
    }
  },
  /** Ten classes, each half as large as the one before, all read equally often. */
  OVERSAMPLED {
    @Override
    int[] epoch(int epoch, int samples, SplittableRandom random) {
      int[] starts = new int[CLASSES + 1];
      for (int k = 0; k < CLASSES; k++) {
        int left = samples - starts[k];
        starts[k + 1] = k == CLASSES - 1 ? samples : starts[k] + Math.max(1, left / 2);
      }
      int[] reads = new int[samples];
      for (int i = 0; i < samples; i++) {
        int k = random.nextInt(CLASSES);
        reads[i] = random.nextInt(starts[k], starts[k + 1]);
      }
      return reads;
    }
  };

  private static final int CLASSES = 10;
  private static final int CURRICULUM_EPOCHS = 8;

  /** The samples of one epoch. */
  abstract int[] epoch(int epoch, int samples, SplittableRandom random);

  String label() {
    return name().toLowerCase(Locale.ROOT);
  }

  private static int[] identity(int samples) {
    int[] order = new int[samples];
    for (int i = 0; i < samples; i++) {
      order[i] = i;
    }
    return order;
  }

  private static int[] shuffled(int samples, SplittableRandom random) {
    int[] order = identity(samples);
    for (int i = samples - 1; i > 0; i--) {
      int other = random.nextInt(i + 1);
      int swap = order[i];
      order[i] = order[other];
      order[other] = swap;
    }
    return order;
  }
}
