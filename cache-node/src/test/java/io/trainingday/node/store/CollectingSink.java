package io.trainingday.node.store;

import java.nio.ByteBuffer;
import org.agrona.BufferUtil;

/** Keeps the bytes of the last record it was given, in a direct buffer as the lane's sinks do. */
final class CollectingSink implements RecordSink {
  private final ByteBuffer target;
  private int announced = -1;
  private int length;
  private int begins;

  CollectingSink(int capacity) {
    target = BufferUtil.allocateDirectAligned(capacity, 64);
  }

  @Override
  public boolean begin(int recordLength) {
    announced = recordLength;
    length = 0;
    begins++;
    return recordLength <= target.capacity();
  }

  @Override
  public void copy(long address, int count) {
    NativeMemory.copy(address, NativeMemory.address(target) + claim(count), count);
  }

  @Override
  public void copy(byte[] bytes, int offset, int count) {
    NativeMemory.copy(bytes, offset, NativeMemory.address(target) + claim(count), count);
  }

  private int claim(int count) {
    if (count < 1 || length + count > announced) {
      throw new AssertionError(count + " bytes more than " + length + " of " + announced);
    }
    int start = length;
    length += count;
    return start;
  }

  int begins() {
    return begins;
  }

  int announced() {
    return announced;
  }

  byte[] bytes() {
    byte[] bytes = new byte[length];
    target.get(0, bytes);
    return bytes;
  }
}
