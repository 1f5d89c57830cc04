package io.trainingday.node.inquiry;

import io.trainingday.node.store.NativeMemory;
import io.trainingday.node.store.RecordSink;
import io.trainingday.record.RecordChecksum;
import io.trainingday.record.RecordLayout;
import java.nio.ByteBuffer;

/** Takes one record after the other and holds it against its checksum. For one thread. */
final class RecordCheck implements RecordSink {
  private final RecordChecksum checksum = new RecordChecksum();
  private byte[] bytes = new byte[1 << 16];
  private int length;
  private int filled;

  @Override
  public boolean begin(int recordLength) {
    if (bytes.length < recordLength) {
      bytes = new byte[recordLength];
    }
    length = recordLength;
    filled = 0;
    return true;
  }

  @Override
  public void copy(long address, int count) {
    NativeMemory.copy(address, bytes, filled, count);
    filled += count;
  }

  @Override
  public void copy(byte[] from, int offset, int count) {
    System.arraycopy(from, offset, bytes, filled, count);
    filled += count;
  }

  /** Whether the record that was read last is sound. */
  boolean isSound() {
    return checksum.matches(ByteBuffer.wrap(bytes), 0, length);
  }

  /** When the record that was read last was made, in milliseconds since 1970. */
  long createdMillis() {
    ByteBuffer record = ByteBuffer.wrap(bytes);
    return RecordLayout.isRecord(record, 0, length) ? RecordLayout.createdMillis(record, 0) : 0;
  }
}
