package io.trainingday.node.disk;

import java.nio.ByteBuffer;

/**
 * Where an entry lies.
 *
 * @param segment its number
 * @param offset of the entry's first byte in it
 * @param recordLength bytes of the record in the entry, see {@link EntryHeader}
 */
record Location(int segment, long offset, int recordLength) {
  static final int LENGTH = 16;

  byte[] encode() {
    return ByteBuffer.allocate(LENGTH).putInt(segment).putLong(offset).putInt(recordLength).array();
  }

  static Location decode(byte[] bytes) {
    ByteBuffer in = ByteBuffer.wrap(bytes);
    return new Location(in.getInt(), in.getLong(), in.getInt());
  }

  long entryBytes() {
    return EntryHeader.entryBytes(recordLength);
  }
}
