package io.trainingday.bench.disk;

import io.trainingday.bench.path.BenchException;
import java.nio.ByteBuffer;

/** One way of keeping samples on a disk, opened in a directory of its own. For one thread. */
interface Shelf extends AutoCloseable {
  /**
   * Keeps a sample; put in the order of their indices, from 0.
   *
   * @throws BenchException when it is not kept
   */
  void put(long index, byte[] sample);

  /** Waits until all that was put is on the disk itself. */
  void sync();

  /**
   * Copies a sample to {@code offset} of the buffer, whose position and limit are left alone.
   *
   * @throws BenchException when it is missing
   */
  void read(long index, ByteBuffer target, int offset);

  @Override
  void close();
}
