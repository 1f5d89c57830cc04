package io.trainingday.bench.path;

import io.trainingday.node.store.NativeMemory;
import io.trainingday.node.store.RecordSink;
import java.nio.ByteBuffer;

/** Takes samples of one size from a store, each to its place in a direct buffer. For one thread. */
public final class SampleSink implements RecordSink {
  private final int sampleBytes;
  private long next;

  /**
   * @param sampleBytes of every sample; another one is refused
   */
  public SampleSink(int sampleBytes) {
    this.sampleBytes = sampleBytes;
  }

  /** Lays the next sample down from {@code offset} on, where there must be room for it. */
  public RecordSink at(ByteBuffer target, int offset) {
    next = NativeMemory.address(target) + offset;
    return this;
  }

  @Override
  public boolean begin(int recordLength) {
    return recordLength == sampleBytes;
  }

  @Override
  public void copy(long address, int length) {
    NativeMemory.copy(address, next, length);
    next += length;
  }

  @Override
  public void copy(byte[] bytes, int offset, int length) {
    NativeMemory.copy(bytes, offset, next, length);
    next += length;
  }
}
