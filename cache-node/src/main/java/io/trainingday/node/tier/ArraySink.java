package io.trainingday.node.tier;

import io.trainingday.node.store.NativeMemory;
import io.trainingday.node.store.RecordSink;

/** Takes one record as an array. */
final class ArraySink implements RecordSink {
  private final int maxBytes;
  private byte[] bytes = {};
  private int filled;

  private ArraySink(int maxBytes) {
    this.maxBytes = maxBytes;
  }

  /** Takes a record of exactly so many bytes without being told of it. */
  static ArraySink of(int recordBytes) {
    ArraySink sink = new ArraySink(recordBytes);
    sink.bytes = new byte[recordBytes];
    return sink;
  }

  /** Takes a record of at most so many bytes, once it is told how many. */
  static ArraySink upTo(int maxBytes) {
    return new ArraySink(maxBytes);
  }

  byte[] bytes() {
    return bytes;
  }

  @Override
  public boolean begin(int recordLength) {
    if (recordLength > maxBytes) {
      return false;
    }
    bytes = new byte[recordLength];
    filled = 0;
    return true;
  }

  @Override
  public void copy(long address, int length) {
    NativeMemory.copy(address, bytes, filled, length);
    filled += length;
  }

  @Override
  public void copy(byte[] from, int offset, int length) {
    System.arraycopy(from, offset, bytes, filled, length);
    filled += length;
  }
}
