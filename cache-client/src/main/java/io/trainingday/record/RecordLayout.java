package io.trainingday.record;

import static java.nio.ByteOrder.LITTLE_ENDIAN;

import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;

/**
 * Where everything is in a record: its header and descriptor without the body.
 *
 * <pre>
 *  0        4     6     8           16           24            28     32            40
 * +--------+-----+-----+-----------+------------+-------------+------+-------------+---------------+
 * | "TDR1" | ver |flags| schemaHash| bodyLength | descrLength | crc  | sourceStamp | createdMillis |
 * +--------+-----+-----+-----------+------------+-------------+------+-------------+---------------+
 * 48       52        64                         bodyStart = align64(64 + descrLength)
 * +--------+---------+--------------+-----------+---------+-----------+---------+
 * | seal   | zeros   | descriptor   | zeros     | field 0 | zeros     | field 1 | ...
 * +--------+---------+--------------+-----------+---------+-----------+---------+
 * </pre>
 *
 * <p>All numbers are little-endian; every field starts at the first multiple of 64 after the one
 * before, so a field's distance from {@link #bodyStart} follows from the schema alone: one layout
 * serves all records with the same {@link #schemaHash}. Immutable, thread-safe. The full table is
 * {@code cache-client/contract/record.md}.
 */
public final class RecordLayout {
  /** Bytes of the fixed header. */
  public static final int HEADER_BYTES = 64;

  /** Every field starts at a multiple of this. */
  public static final int ALIGNMENT = 64;

  public static final int MAX_FIELDS = 256;
  public static final int MAX_ATTRIBUTES = 256;
  public static final int MAX_NAME_BYTES = 255;
  public static final int MAX_RANK = 16;
  public static final int MAX_DESCRIPTOR_BYTES = 64 * 1024;

  /** Bytes of the largest record the format can carry; a node's own limit is far lower. */
  public static final int MAX_RECORD_BYTES = Integer.MAX_VALUE - 63;

  static final int MAGIC = 0x31524454; // "TDR1" read as a little-endian number
  static final int MIN_DESCRIPTOR_BYTES = 4;

  static final int MAGIC_AT = 0;
  static final int VERSION_AT = 4;
  static final int FLAGS_AT = 6;
  static final int SCHEMA_HASH_AT = 8;
  static final int BODY_LENGTH_AT = 16;
  static final int DESCRIPTOR_LENGTH_AT = 24;
  static final int CRC_AT = 28;
  static final int SOURCE_STAMP_AT = 32;
  static final int CREATED_AT = 40;
  static final int SEAL_AT = 48;
  static final int RESERVED_AT = 52;

  private final List<Field> fields;
  private final Map<String, Object> attributes;
  private final int descriptorLength;
  private final int recordLength;
  private final long sourceStamp;
  private final long createdMillis;
  private final long schemaHash;

  RecordLayout(
      List<Field> fields,
      Map<String, Object> attributes,
      int descriptorLength,
      int recordLength,
      long sourceStamp,
      long createdMillis) {
    this.fields = List.copyOf(fields);
    this.attributes = Collections.unmodifiableMap(attributes);
    this.descriptorLength = descriptorLength;
    this.recordLength = recordLength;
    this.sourceStamp = sourceStamp;
    this.createdMillis = createdMillis;
    this.schemaHash = Schema.hash(this.fields);
  }

  /**
   * Reads and checks header, descriptor and the padding behind it.
   *
   * @param headerAndDescriptor the record's first bytes, from its position on; at least {@link
   *     #bodyStart} of them, more do not matter. Its position is left alone
   * @param recordLength bytes of the whole record
   * @throws MalformedRecordException when these bytes cannot begin a record of that length
   */
  public static RecordLayout parse(ByteBuffer headerAndDescriptor, int recordLength) {
    return Descriptor.parse(headerAndDescriptor, recordLength);
  }

  /**
   * The layout the record will have once it is encoded.
   *
   * @throws IllegalArgumentException when it does not fit the format's limits
   */
  public static RecordLayout of(SampleRecord record) {
    return Descriptor.layOut(record);
  }

  /** The fields in record order. */
  public List<Field> fields() {
    return fields;
  }

  /** Small values beside the fields, in order: Long, Double, Boolean or String. */
  public Map<String, Object> attributes() {
    return attributes;
  }

  /** Bytes of the whole record. */
  public int recordLength() {
    return recordLength;
  }

  public int descriptorLength() {
    return descriptorLength;
  }

  /** Where the first field starts: the bytes before it are header, descriptor and padding. */
  public int bodyStart() {
    return bodyStartOf(descriptorLength);
  }

  public long sourceStamp() {
    return sourceStamp;
  }

  /** Milliseconds since 1970 UTC. */
  public long createdMillis() {
    return createdMillis;
  }

  /**
   * Equal for records with the same names, dtypes and shapes in the same order: may be collated.
   */
  public long schemaHash() {
    return schemaHash;
  }

  /**
   * Equal for records with the same names, dtypes and ranks in the same order: may be read ragged.
   * Computed on each call.
   */
  public long familyHash() {
    return Schema.familyHash(fields);
  }

  /** The schema as people read it, such as {@code image u8[3,224,224], label i64[]}. */
  @Override
  public String toString() {
    return fields.stream().map(Field::toString).collect(Collectors.joining(", "));
  }

  // Reading header fields in place: `at` is where the record starts in the buffer, whose position,
  // limit and byte order do not matter. Nothing is allocated.

  /**
   * Whether a sound header of a record of that length stands there. False for anything else, also
   * for fewer than 64 bytes; never throws for what the bytes say.
   */
  public static boolean isRecord(ByteBuffer buffer, int at, int recordLength) {
    if (recordLength < HEADER_BYTES || at < 0 || buffer.limit() - HEADER_BYTES < at) {
      return false;
    }
    int descriptorLength = descriptorLength(buffer, at);
    int versionAndFlags = littleInt(buffer, at + VERSION_AT);
    return littleInt(buffer, at + MAGIC_AT) == MAGIC
        && RecordFormat.isReadable(versionAndFlags)
        && descriptorLength >= MIN_DESCRIPTOR_BYTES
        && descriptorLength <= MAX_DESCRIPTOR_BYTES
        && bodyLength(buffer, at) == (long) recordLength - bodyStartOf(descriptorLength)
        && (RecordFormat.hasExtras(versionAndFlags)
            || (littleInt(buffer, at + RESERVED_AT) == 0
                && littleLong(buffer, at + RESERVED_AT + Integer.BYTES) == 0));
  }

  public static long schemaHash(ByteBuffer buffer, int at) {
    return littleLong(buffer, at + SCHEMA_HASH_AT);
  }

  public static int descriptorLength(ByteBuffer buffer, int at) {
    return littleInt(buffer, at + DESCRIPTOR_LENGTH_AT);
  }

  /** Bytes from the body's start to the record's end. */
  public static long bodyLength(ByteBuffer buffer, int at) {
    return littleLong(buffer, at + BODY_LENGTH_AT);
  }

  /** Where the body starts, in bytes from the record's start; only of a header found sound. */
  public static int bodyStart(ByteBuffer buffer, int at) {
    return bodyStartOf(descriptorLength(buffer, at));
  }

  /** The CRC-32 the header states. */
  public static int crc(ByteBuffer buffer, int at) {
    return littleInt(buffer, at + CRC_AT);
  }

  /** The CRC-32C a node sealed the record with; 0 of one that is not sealed. */
  static int seal(ByteBuffer buffer, int at) {
    return littleInt(buffer, at + SEAL_AT);
  }

  public static long sourceStamp(ByteBuffer buffer, int at) {
    return littleLong(buffer, at + SOURCE_STAMP_AT);
  }

  /** Milliseconds since 1970 UTC. */
  public static long createdMillis(ByteBuffer buffer, int at) {
    return littleLong(buffer, at + CREATED_AT);
  }

  static int bodyStartOf(int descriptorLength) {
    return (int) align(HEADER_BYTES + (long) descriptorLength);
  }

  static long align(long position) {
    return (position + ALIGNMENT - 1) & -ALIGNMENT;
  }

  private static int littleInt(ByteBuffer buffer, int at) {
    int value = buffer.getInt(at);
    return buffer.order() == LITTLE_ENDIAN ? value : Integer.reverseBytes(value);
  }

  private static long littleLong(ByteBuffer buffer, int at) {
    long value = buffer.getLong(at);
    return buffer.order() == LITTLE_ENDIAN ? value : Long.reverseBytes(value);
  }

  /** One field's place in a record. */
  public static final class Field {
    private final String name;
    private final DType dtype;
    private final long[] shape;
    private final int offset;
    private final int length;

    Field(String name, DType dtype, long[] shape, int offset, int length) {
      this.name = name;
      this.dtype = dtype;
      this.shape = shape;
      this.offset = offset;
      this.length = length;
    }

    public String name() {
      return name;
    }

    public DType dtype() {
      return dtype;
    }

    /** A copy of the dimensions, outermost first; empty for a scalar. */
    public long[] shape() {
      return shape.clone();
    }

    /** How many dimensions there are, 0 to 16. */
    public int rank() {
      return shape.length;
    }

    /** One dimension, 0 being the outermost. */
    public long dimension(int i) {
      return shape[i];
    }

    /** Bytes from the record's start, a multiple of 64. */
    public int offset() {
      return offset;
    }

    /** Bytes of the field. */
    public int length() {
      return length;
    }

    @Override
    public String toString() {
      return Schema.describe(name, dtype, shape);
    }

    @Override
    public boolean equals(Object other) {
      return other instanceof Field that
          && name.equals(that.name)
          && dtype == that.dtype
          && Arrays.equals(shape, that.shape)
          && offset == that.offset
          && length == that.length;
    }

    @Override
    public int hashCode() {
      return name.hashCode() * 31 + offset;
    }
  }
}
