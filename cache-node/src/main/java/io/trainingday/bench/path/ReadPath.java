package io.trainingday.bench.path;

import java.nio.ByteBuffer;

/** One way of reading batches, loaded and ready. For one thread. */
public interface ReadPath extends AutoCloseable {
  /**
   * Reads one batch to where this path delivers it, all samples.
   *
   * @throws BenchException when a sample is missing
   */
  void read(long[] indices);

  /** The {@code i}-th sample of the batch read last, from position to limit. */
  ByteBuffer sample(int i);

  /** How many batches so far came through a socket though shared memory was meant. */
  default long inlineBatches() {
    return 0;
  }

  @Override
  default void close() {}
}
