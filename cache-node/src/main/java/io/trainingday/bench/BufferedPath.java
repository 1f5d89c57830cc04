package io.trainingday.bench;

import java.nio.ByteBuffer;
import org.jspecify.annotations.Nullable;

/** A path that delivers to the common buffer. */
abstract class BufferedPath implements ReadPath {
  final BatchBuffer target;

  BufferedPath(BatchBuffer target) {
    this.target = target;
  }

  @Override
  public final ByteBuffer sample(int i) {
    return target.sample(i);
  }

  final void put(int i, long index, byte @Nullable [] sample) {
    if (sample == null) {
      throw new BenchException("sample " + index + " is missing");
    }
    target.put(i, sample);
  }
}
