package io.trainingday.bench.path;

import java.nio.ByteBuffer;
import org.jspecify.annotations.Nullable;

/** A path that delivers to the common buffer. */
public abstract class BufferedPath implements ReadPath {
  private final Target target;

  protected BufferedPath(Target target) {
    this.target = target;
  }

  @Override
  public final ByteBuffer sample(int i) {
    return target.sample(i);
  }

  /** Where the batch goes. */
  protected final Target target() {
    return target;
  }

  /**
   * Copies one sample to its place in the batch.
   *
   * @param sample null if there is none, which ends the bench
   */
  protected final void put(int i, long index, byte @Nullable [] sample) {
    if (sample == null) {
      throw new BenchException("sample " + index + " is missing");
    }
    target.bytes.put(target.offset(i), sample);
  }

  /** The reused direct buffer that batches are copied to, sample behind sample. */
  public static final class Target {
    private final ByteBuffer bytes;
    private final int sampleBytes;

    public Target(int sampleBytes, int maxBatch) {
      this.bytes = ByteBuffer.allocateDirect(Math.multiplyExact(sampleBytes, maxBatch));
      this.sampleBytes = sampleBytes;
    }

    /** All of it. */
    public ByteBuffer bytes() {
      return bytes;
    }

    /** Where the {@code i}-th sample of a batch begins. */
    public int offset(int i) {
      return i * sampleBytes;
    }

    private ByteBuffer sample(int i) {
      return bytes.slice(offset(i), sampleBytes);
    }
  }
}
