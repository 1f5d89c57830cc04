package io.trainingday.node.disk;

import io.trainingday.grid.SampleKey;
import java.nio.ByteBuffer;
import org.jspecify.annotations.Nullable;

/**
 * What stands before a record in a segment: whose it is. Big-endian, 64 bytes, and an entry starts
 * at a multiple of 64.
 *
 * <pre>
 * 0       8              12        16        24            32         40              48
 * +-------+--------------+---------+---------+-------------+----------+---------------+
 * | magic | recordLength | variant | dataset | incarnation | pipeline | sampleVersion |
 * +-------+--------------+---------+---------+-------------+----------+---------------+
 * 48      56      64                     (a multiple of 64)
 * +-------+-------+--------------+-------+
 * | index | check | record       | zeros |
 * +-------+-------+--------------+-------+
 * </pre>
 *
 * The check is over all other fields. The index has checksums of its own; this one makes sure that
 * a wrong place never gives another sample's sound record. The record has its checksum in itself.
 */
final class EntryHeader {
  static final int LENGTH = 64;

  private static final long MAGIC = 0x5444_5245_434F_5231L; // "TDRECOR1"
  private static final int CHECK_AT = LENGTH - Long.BYTES;
  private static final long MIX = 0x9E37_79B9_7F4A_7C15L;

  private EntryHeader() {}

  /** Bytes of a whole entry. */
  static long entryBytes(int recordLength) {
    return (LENGTH + (long) recordLength + LENGTH - 1) & -LENGTH;
  }

  /** Puts a header at the buffer's position. */
  static void put(ByteBuffer out, SampleKey key, int recordLength) {
    out.putLong(MAGIC)
        .putInt(recordLength)
        .putInt(key.variant())
        .putLong(key.dataset())
        .putLong(key.incarnation())
        .putLong(key.pipeline())
        .putLong(key.sampleVersion())
        .putLong(key.index())
        .putLong(check(key, recordLength));
  }

  /** Whether the header at {@code at} is the one of this very record. */
  static boolean matches(ByteBuffer in, int at, SampleKey key, int recordLength) {
    return in.getLong(at) == MAGIC && in.getLong(at + CHECK_AT) == check(key, recordLength);
  }

  /** Whose record follows the header at {@code at}; null when there is no sound header. */
  static @Nullable SampleKey key(ByteBuffer in, int at) {
    if (in.getLong(at) != MAGIC) {
      return null;
    }
    SampleKey key =
        new SampleKey(
            in.getLong(at + 16),
            in.getLong(at + 24),
            in.getLong(at + 32),
            in.getLong(at + 40),
            in.getInt(at + 12),
            in.getLong(at + 48));
    int recordLength = recordLength(in, at);
    return recordLength >= 0 && in.getLong(at + CHECK_AT) == check(key, recordLength) ? key : null;
  }

  static int recordLength(ByteBuffer in, int at) {
    return in.getInt(at + 8);
  }

  private static long check(SampleKey key, int recordLength) {
    long check = mix(MAGIC ^ ((long) key.variant() << 32 | recordLength));
    check = mix(check ^ key.dataset());
    check = mix(check ^ key.incarnation());
    check = mix(check ^ key.pipeline());
    check = mix(check ^ key.sampleVersion());
    return mix(check ^ key.index());
  }

  private static long mix(long value) {
    long mixed = value * MIX;
    mixed = (mixed ^ mixed >>> 32) * MIX;
    return mixed ^ mixed >>> 29;
  }
}
