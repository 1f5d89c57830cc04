package io.trainingday.bench.path;

import java.nio.ByteBuffer;
import java.util.Locale;
import java.util.SplittableRandom;

/**
 * Samples of one size with random content, and the orders they are read in. The same for every
 * path: content depends on the index alone, the order on the round alone.
 */
public final class Workload {
  private static final long SEED = 42;

  private final int sampleBytes;
  private final int count;

  /**
   * @param count number of samples, indices run from 0
   */
  public Workload(int sampleBytes, int count) {
    this.sampleBytes = sampleBytes;
    this.count = count;
  }

  /** How large each is. */
  public int sampleBytes() {
    return sampleBytes;
  }

  /** How many there are. */
  public int count() {
    return count;
  }

  /** How large all are. */
  public long bytes() {
    return (long) count * sampleBytes;
  }

  /** The content of one sample, a new array. */
  public byte[] sample(long index) {
    byte[] content = new byte[sampleBytes];
    new SplittableRandom(SEED + index).nextBytes(content);
    return content;
  }

  /** A random permutation of all indices. */
  public long[] order(int round) {
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
   * @param name of the path
   * @param indices of the batch it read last
   * @throws BenchException at the first difference
   */
  public void verify(String name, ReadPath path, long[] indices) {
    for (int i = 0; i < indices.length; i++) {
      ByteBuffer expected = ByteBuffer.wrap(sample(indices[i]));
      int difference = expected.mismatch(path.sample(i));
      if (difference >= 0) {
        throw new BenchException(
            String.format(
                Locale.ROOT,
                "%s delivered sample %d wrong: %d bytes agree of %,d",
                name,
                indices[i],
                difference,
                sampleBytes));
      }
    }
  }
}
