package io.trainingday.node.disk;

import io.trainingday.node.store.NativeMemory;
import io.trainingday.node.store.RecordSink;
import java.util.Arrays;

/** Takes one record into an array. */
class ReadBack implements RecordSink {
  private byte[] bytes = {};
  private int filled;

  @Override
  public boolean begin(int recordLength) {
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
  public void copy(byte[] source, int offset, int length) {
    System.arraycopy(source, offset, bytes, filled, length);
    filled += length;
  }

  byte[] bytes() {
    return Arrays.copyOf(bytes, filled);
  }
}
