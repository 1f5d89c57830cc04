package io.trainingday.record;

import java.nio.ByteBuffer;
import java.util.zip.CRC32;

/**
 * Checks records against the CRC-32 in their header, also one whose pieces lie apart.
 *
 * <p>Allocates nothing after construction; not thread-safe, keep one per thread. A buffer's
 * position and limit are moved while it is read and put back; nobody else may use that buffer
 * object meanwhile. For a record in one piece, {@link #matches(ByteBuffer, int, int)}. For a
 * scattered one, {@link #begin} with everything before the body, {@link #field} for each field in
 * record order, then {@link #matches()}; the gaps between fields count as the zeros they are.
 */
public final class RecordChecksum {
  private static final int AFTER_CRC = RecordLayout.CRC_AT + Integer.BYTES;
  private static final byte[] ZEROS = new byte[RecordLayout.ALIGNMENT];

  private final CRC32 crc = new CRC32();
  private int statedCrc;
  private long statedLength;
  private long position;

  /**
   * Whether a record in one piece has the bytes it was written with.
   *
   * @param at where the record starts in the buffer
   * @param length bytes of the record; false where its header states another length
   */
  public boolean matches(ByteBuffer buffer, int at, int length) {
    return RecordLayout.isRecord(buffer, at, length)
        && compute(buffer, at, length) == RecordLayout.crc(buffer, at);
  }

  /**
   * Starts a scattered record.
   *
   * @param head holds header, descriptor and padding of a record whose header is sound ({@link
   *     RecordLayout#isRecord})
   * @param at where the header starts in it
   */
  public void begin(ByteBuffer head, int at) {
    int bodyStart = RecordLayout.bodyStart(head, at);
    statedCrc = RecordLayout.crc(head, at);
    statedLength = bodyStart + RecordLayout.bodyLength(head, at);
    crc.reset();
    update(head, at, RecordLayout.CRC_AT);
    update(head, at + AFTER_CRC, bodyStart - AFTER_CRC);
    position = bodyStart;
  }

  /** Adds the next field, {@code length} bytes at {@code at} of the buffer. */
  public void field(ByteBuffer buffer, int at, int length) {
    long start = RecordLayout.align(position);
    crc.update(ZEROS, 0, (int) (start - position));
    update(buffer, at, length);
    position = start + length;
  }

  /** Whether all pieces together are the record that {@link #begin} was given. */
  public boolean matches() {
    return position == statedLength && (int) crc.getValue() == statedCrc;
  }

  /** The CRC-32 of a whole record, leaving out the four bytes that hold it. */
  int compute(ByteBuffer buffer, int at, int length) {
    crc.reset();
    update(buffer, at, RecordLayout.CRC_AT);
    update(buffer, at + AFTER_CRC, length - AFTER_CRC);
    return (int) crc.getValue();
  }

  private void update(ByteBuffer buffer, int at, int length) {
    int oldPosition = buffer.position();
    int oldLimit = buffer.limit();
    try {
      buffer.limit(at + length).position(at);
      crc.update(buffer);
    } finally {
      buffer.limit(oldLimit).position(oldPosition);
    }
  }
}
