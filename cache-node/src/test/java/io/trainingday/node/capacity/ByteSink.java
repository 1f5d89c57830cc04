package io.trainingday.node.capacity;

import io.trainingday.node.store.NativeMemory;
import io.trainingday.node.store.RecordSink;
import java.io.ByteArrayOutputStream;

/** Keeps the bytes of a record. */
final class ByteSink implements RecordSink {
  private final ByteArrayOutputStream bytes = new ByteArrayOutputStream();

  @Override
  public boolean begin(int recordLength) {
    return true;
  }

  @Override
  public void copy(long address, int length) {
    byte[] piece = new byte[length];
    NativeMemory.copy(address, piece, 0, length);
    bytes.writeBytes(piece);
  }

  @Override
  public void copy(byte[] piece, int offset, int length) {
    bytes.write(piece, offset, length);
  }

  boolean isAll(byte expected, int length) {
    byte[] all = bytes.toByteArray();
    for (byte one : all) {
      if (one != expected) {
        return false;
      }
    }
    return all.length == length;
  }
}
