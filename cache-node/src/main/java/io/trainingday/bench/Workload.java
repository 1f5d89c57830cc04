package io.trainingday.bench;

import java.nio.ByteBuffer;
import java.util.SplittableRandom;

/**
 * Samples of one size with random content, and the orders they are read in. The same for every
 * path: content depends on the index alone, the order on the round alone.
 */
final class Workload {
  private static final long SEED = 42;

  private final int sampleBytes;
  private final int count;

  /**
   * @param count number of samples, indices run from 0
   */
  Workload(int sampleBytes, int count) {
    this.sampleBytes = sampleBytes;
    this.count = count;
  }

  int sampleBytes() {
    return sampleBytes;
  }

  int count() {
    return count;
  }

  long bytes() {
    return (long) count * sampleBytes;
  }

  /** The content of one sample, a new array. */
  byte[] sample(long index) {
    byte[] content = new byte[sampleBytes];
    new SplittableRandom(SEED + index).nextBytes(content);
    return content;
  }

  /** A random permutation of all indices. */
  long[] order(int round) {
    long[] order = new long[count];
    SplittableRandom random = new SplittableRandom(~SEED - round);
    for (int i = 0; i < count; i++) {
      int j = random.nextInt(i + 1);
      order[i] = order[j];
      order[j] = i;
    }
    return order;
  }

  /**
   * Compares what a path delivered with what the samples are.
   *
   * @throws BenchException at the first difference
   */
  void verify(PathKind kind, ReadPath path, long[] indices) {
    for (int i = 0; i < indices.length; i++) {
      ByteBuffer expected = ByteBuffer.wrap(sample(indices[i]));
      int difference = expected.mismatch(path.sample(i));
      if (difference >= 0) {
        throw new BenchException(
            "%s delivered sample %d wrong: %d bytes agree of %,d"
                .formatted(kind, indices[i], difference, sampleBytes));
      }
    }
  }
}
