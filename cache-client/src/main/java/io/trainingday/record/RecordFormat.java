package io.trainingday.record;

import static java.nio.ByteOrder.LITTLE_ENDIAN;

import java.nio.ByteBuffer;

/**
 * The formats of a record that are read here. {@link #NEWEST} is written; {@link #OLDEST} is what
 * the release before wrote and read, and a record can be turned into it for those who know no
 * other.
 *
 * <p>From format 2 on the header's flags say what a reader must know ({@link #isReadable}) and what
 * it may pass over, so that what is added later need not be a new format.
 */
public final class RecordFormat {
  /** What is written. */
  public static final int NEWEST = 2;

  /** The oldest that is read. */
  public static final int OLDEST = 1;

  /** Flags of format 2 a reader must know, none of which there is yet. */
  static final int NEEDED_FLAGS = 0x00FF;

  /** Flags of format 2 a reader may pass over, with the bytes behind the seal. */
  static final int EXTRA_FLAGS = 0xFF00;

  private RecordFormat() {}

  /**
   * Whether format and flags are such that the rest can be read.
   *
   * @param word the 32 bits from the format on, flags in the upper half
   */
  static boolean isReadable(int word) {
    int version = word & 0xFFFF;
    int flags = word >>> 16;
    return version == OLDEST ? flags == 0 : version == NEWEST && (flags & NEEDED_FLAGS) == 0;
  }

  /** Whether the bytes behind the seal may be other than zero. */
  static boolean hasExtras(int word) {
    return (word >>> 16 & EXTRA_FLAGS) != 0;
  }

  /**
   * The format of a sound record.
   *
   * @param at where it starts in the buffer
   */
  public static int of(ByteBuffer buffer, int at) {
    return word(buffer, at) & 0xFFFF;
  }

  /**
   * Turns a sound record into one of {@link #OLDEST}, in place: same length, fields and attributes,
   * a checksum of its own, without seal and without what readers may pass over. One of that format
   * is left alone.
   *
   * @param at where it starts in the buffer, whose position and limit are put back
   */
  public static void toOldest(ByteBuffer buffer, int at, int length) {
    if (of(buffer, at) == OLDEST) {
      return;
    }
    headToOldest(buffer, at);
    putInt(buffer, at + RecordLayout.SEAL_AT, 0);
    int crc = new RecordChecksum().compute(buffer, at, length);
    putInt(buffer, at + RecordLayout.CRC_AT, crc);
  }

  /**
   * The same of header and descriptor without a body, whose checksum says nothing afterwards.
   *
   * @param at where it starts in the buffer
   */
  public static void headToOldest(ByteBuffer buffer, int at) {
    if (of(buffer, at) == OLDEST) {
      return;
    }
    putInt(buffer, at + RecordLayout.VERSION_AT, OLDEST);
    for (int i = RecordLayout.RESERVED_AT; i < RecordLayout.HEADER_BYTES; i++) {
      buffer.put(at + i, (byte) 0);
    }
  }

  private static int word(ByteBuffer buffer, int at) {
    int value = buffer.getInt(at + RecordLayout.VERSION_AT);
    return buffer.order() == LITTLE_ENDIAN ? value : Integer.reverseBytes(value);
  }

  private static void putInt(ByteBuffer buffer, int at, int value) {
    buffer.putInt(at, buffer.order() == LITTLE_ENDIAN ? value : Integer.reverseBytes(value));
  }
}
