package io.trainingday.record;

import static io.trainingday.record.RecordLayout.BODY_LENGTH_AT;
import static io.trainingday.record.RecordLayout.DESCRIPTOR_LENGTH_AT;
import static io.trainingday.record.RecordLayout.FLAGS_AT;
import static io.trainingday.record.RecordLayout.HEADER_BYTES;
import static io.trainingday.record.RecordLayout.MAGIC;
import static io.trainingday.record.RecordLayout.MAGIC_AT;
import static io.trainingday.record.RecordLayout.MAX_ATTRIBUTES;
import static io.trainingday.record.RecordLayout.MAX_DESCRIPTOR_BYTES;
import static io.trainingday.record.RecordLayout.MAX_FIELDS;
import static io.trainingday.record.RecordLayout.MAX_RANK;
import static io.trainingday.record.RecordLayout.MAX_RECORD_BYTES;
import static io.trainingday.record.RecordLayout.MIN_DESCRIPTOR_BYTES;
import static io.trainingday.record.RecordLayout.RESERVED_AT;
import static io.trainingday.record.RecordLayout.SCHEMA_HASH_AT;
import static io.trainingday.record.RecordLayout.VERSION_AT;
import static io.trainingday.record.RecordLayout.align;
import static io.trainingday.record.RecordLayout.bodyStartOf;
import static java.nio.ByteOrder.LITTLE_ENDIAN;
import static java.nio.charset.StandardCharsets.UTF_8;

import com.esotericsoftware.kryo.io.Input;
import com.esotericsoftware.kryo.io.KryoBufferUnderflowException;
import com.esotericsoftware.kryo.io.Output;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * Header and descriptor as Kryo's fixed-width values, which are little-endian: what the contract's
 * tables say, in the same order.
 */
final class Descriptor {
  private static final int FIELD_BYTES = 4 + 8 + 8; // without name and dimensions
  private static final int ATTRIBUTE_BYTES = 4; // without name and value

  private static final int I64 = 1;
  private static final int F64 = 2;
  private static final int BOOL = 3;
  private static final int TEXT = 4;

  private Descriptor() {}

  static RecordLayout layOut(SampleRecord record) {
    long length = MIN_DESCRIPTOR_BYTES;
    for (SampleRecord.Field field : record.fields()) {
      length += FIELD_BYTES + field.name().getBytes(UTF_8).length + 8L * field.shape().length;
    }
    for (Map.Entry<String, Object> attribute : record.attributes().entrySet()) {
      length +=
          ATTRIBUTE_BYTES
              + attribute.getKey().getBytes(UTF_8).length
              + valueLength(attribute.getValue());
    }
    if (length > MAX_DESCRIPTOR_BYTES) {
      throw new IllegalArgumentException(
          "names, shapes and attributes take %d bytes, allowed: up to %d a record; shorten attributes or make them fields"
              .formatted(length, MAX_DESCRIPTOR_BYTES));
    }
    List<RecordLayout.Field> fields = new ArrayList<>(record.fields().size());
    long end = bodyStartOf((int) length);
    for (SampleRecord.Field field : record.fields()) {
      long offset = align(end);
      end = offset + field.length();
      if (end > MAX_RECORD_BYTES) {
        throw new IllegalArgumentException(
            "field '%s' ends at byte %d of the record, allowed: up to %d; store less in one sample"
                .formatted(field.name(), end, MAX_RECORD_BYTES));
      }
      fields.add(
          new RecordLayout.Field(
              field.name(), field.dtype(), field.shape(), (int) offset, field.length()));
    }
    return new RecordLayout(
        fields,
        record.attributes(),
        (int) length,
        (int) end,
        record.sourceStamp(),
        record.createdMillis());
  }

  /** Writes header, descriptor and padding; the checksum is still zero. */
  static void write(Output out, RecordLayout layout) {
    int start = out.position();
    out.writeInt(MAGIC);
    out.writeShort(RecordFormat.NEWEST);
    out.writeShort(0);
    out.writeLong(layout.schemaHash());
    out.writeLong(layout.recordLength() - layout.bodyStart());
    out.writeInt(layout.descriptorLength());
    out.writeInt(0);
    out.writeLong(layout.sourceStamp());
    out.writeLong(layout.createdMillis());
    out.writeLong(0);
    out.writeLong(0);

    out.writeShort(layout.fields().size());
    out.writeShort(layout.attributes().size());
    for (RecordLayout.Field field : layout.fields()) {
      byte[] name = field.name().getBytes(UTF_8);
      out.writeByte(field.dtype().code());
      out.writeByte(field.rank());
      out.writeByte(name.length);
      out.writeByte(0);
      out.writeLong(field.offset());
      out.writeLong(field.length());
      for (int i = 0; i < field.rank(); i++) {
        out.writeLong(field.dimension(i));
      }
      out.writeBytes(name);
    }
    layout.attributes().forEach((name, value) -> writeAttribute(out, name, value));
    writeZeros(out, layout.bodyStart() - (out.position() - start));
  }

  static void writeZeros(Output out, int count) {
    for (int i = 0; i < count; i++) {
      out.writeByte(0);
    }
  }

  private static void writeAttribute(Output out, String key, Object value) {
    byte[] name = key.getBytes(UTF_8);
    out.writeByte(
        value instanceof Long
            ? I64
            : value instanceof Double ? F64 : value instanceof Boolean ? BOOL : TEXT);
    out.writeByte(name.length);
    out.writeShort(valueLength(value));
    out.writeBytes(name);
    if (value instanceof Long number) {
      out.writeLong(number);
    } else if (value instanceof Double number) {
      out.writeDouble(number);
    } else if (value instanceof Boolean bool) {
      out.writeBoolean(bool);
    } else {
      out.writeBytes(((String) value).getBytes(UTF_8));
    }
  }

  private static int valueLength(Object value) {
    if (value instanceof String text) {
      return text.getBytes(UTF_8).length;
    }
    return value instanceof Boolean ? 1 : 8;
  }

  static RecordLayout parse(ByteBuffer bytes, int recordLength) {
    ByteBuffer buffer = bytes.slice();
    int descriptorLength = checkHeader(buffer, recordLength);
    int bodyStart = bodyStartOf(descriptorLength);
    Reader reader =
        new Reader(
            new BoundedInput(buffer.slice(HEADER_BYTES, descriptorLength)),
            bodyStart,
            recordLength);
    RecordLayout layout;
    try {
      layout =
          reader.read(RecordLayout.sourceStamp(buffer, 0), RecordLayout.createdMillis(buffer, 0));
    } catch (KryoBufferUnderflowException e) {
      throw new MalformedRecordException(
          reader.at(),
          "descriptorLength",
          descriptorLength,
          "as many bytes as its fields and attributes take, they need more");
    }
    long stated = RecordLayout.schemaHash(buffer, 0);
    if (stated != layout.schemaHash()) {
      throw new MalformedRecordException(
          SCHEMA_HASH_AT,
          "schemaHash",
          Long.toHexString(stated),
          "the hash of its fields, " + Long.toHexString(layout.schemaHash()));
    }
    checkZeros(buffer, HEADER_BYTES + descriptorLength, bodyStart, "padding");
    return layout;
  }

  /** Refuses the first byte of {@code [from, to)} that is not zero. */
  static void checkZeros(ByteBuffer buffer, int from, int to, String what) {
    for (int i = from; i < to; i++) {
      if (buffer.get(i) != 0) {
        throw new MalformedRecordException(i, what, buffer.get(i), "0");
      }
    }
  }

  private static int checkHeader(ByteBuffer buffer, int recordLength) {
    require(
        recordLength >= HEADER_BYTES + MIN_DESCRIPTOR_BYTES && recordLength <= MAX_RECORD_BYTES,
        0,
        "record length",
        recordLength,
        HEADER_BYTES + MIN_DESCRIPTOR_BYTES + " to " + MAX_RECORD_BYTES);
    require(
        buffer.remaining() >= HEADER_BYTES,
        0,
        "bytes at hand",
        buffer.remaining(),
        "at least the header's 64");
    ByteBuffer little = buffer.duplicate().order(LITTLE_ENDIAN);
    int magic = little.getInt(MAGIC_AT);
    require(magic == MAGIC, MAGIC_AT, "magic", Integer.toHexString(magic), "31524454, \"TDR1\"");
    int version = little.getShort(VERSION_AT);
    require(
        version == RecordFormat.OLDEST || version == RecordFormat.NEWEST,
        VERSION_AT,
        "formatVersion",
        version,
        "1, 2");
    int flags = Short.toUnsignedInt(little.getShort(FLAGS_AT));
    if (version == RecordFormat.OLDEST) {
      require(flags == 0, FLAGS_AT, "flags", flags, "0");
    }
    int needed = flags & RecordFormat.NEEDED_FLAGS;
    require(
        needed == 0,
        FLAGS_AT,
        "flags",
        needed,
        "0 of those a reader must know; a newer writer set them, update this side");
    if ((flags & RecordFormat.EXTRA_FLAGS) == 0) {
      checkZeros(little, RESERVED_AT, HEADER_BYTES, "reserved byte");
    }
    long descriptorLength = Integer.toUnsignedLong(little.getInt(DESCRIPTOR_LENGTH_AT));
    require(
        descriptorLength >= MIN_DESCRIPTOR_BYTES && descriptorLength <= MAX_DESCRIPTOR_BYTES,
        DESCRIPTOR_LENGTH_AT,
        "descriptorLength",
        descriptorLength,
        MIN_DESCRIPTOR_BYTES + " to " + MAX_DESCRIPTOR_BYTES);
    int bodyStart = bodyStartOf((int) descriptorLength);
    long bodyLength = little.getLong(BODY_LENGTH_AT);
    require(
        bodyLength == (long) recordLength - bodyStart,
        BODY_LENGTH_AT,
        "bodyLength",
        Long.toUnsignedString(bodyLength),
        "record length %d - body start %d".formatted(recordLength, bodyStart));
    require(
        buffer.remaining() >= bodyStart,
        HEADER_BYTES,
        "bytes at hand",
        buffer.remaining(),
        "at least the %d before the body".formatted(bodyStart));
    return (int) descriptorLength;
  }

  private static void require(boolean holds, long at, String what, Object value, String allowed) {
    if (!holds) {
      throw new MalformedRecordException(at, what, value, allowed);
    }
  }

  /** Reads one descriptor from front to back; every length is checked before it is used. */
  private static final class Reader {
    private final Input in;
    private final int recordLength;
    private final int bodyStart;
    private final Set<String> names = new HashSet<>();
    private long end;

    Reader(Input in, int bodyStart, int recordLength) {
      this.in = in;
      this.bodyStart = bodyStart;
      this.end = bodyStart;
      this.recordLength = recordLength;
    }

    int at() {
      return HEADER_BYTES + in.position();
    }

    RecordLayout read(long sourceStamp, long createdMillis) {
      int fieldCount = in.readShortUnsigned();
      require(
          fieldCount <= MAX_FIELDS, HEADER_BYTES, "fieldCount", fieldCount, "0 to " + MAX_FIELDS);
      int attributeCount = in.readShortUnsigned();
      require(
          attributeCount <= MAX_ATTRIBUTES,
          HEADER_BYTES + 2,
          "attributeCount",
          attributeCount,
          "0 to " + MAX_ATTRIBUTES);
      List<RecordLayout.Field> fields = new ArrayList<>();
      for (int i = 0; i < fieldCount; i++) {
        fields.add(readField());
      }
      Map<String, Object> attributes = new LinkedHashMap<>();
      for (int i = 0; i < attributeCount; i++) {
        readAttribute(attributes);
      }
      int descriptorLength = in.limit();
      require(
          in.position() == descriptorLength,
          at(),
          "descriptorLength",
          descriptorLength,
          in.position() + ", which its fields and attributes take");
      require(
          end == recordLength,
          BODY_LENGTH_AT,
          "bodyLength",
          recordLength - bodyStart,
          "%d, where the last field ends".formatted(end - bodyStart));
      return new RecordLayout(
          fields, attributes, descriptorLength, recordLength, sourceStamp, createdMillis);
    }

    private RecordLayout.Field readField() {
      int start = at();
      int code = in.readByteUnsigned();
      DType dtype = DType.ofCode(code);
      if (dtype == null) {
        throw new MalformedRecordException(start, "dtype", code, "1 to 13");
      }
      int rank = in.readByteUnsigned();
      require(rank <= MAX_RANK, start + 1, "rank", rank, "0 to " + MAX_RANK);
      int nameLength = in.readByteUnsigned();
      int reserved = in.readByteUnsigned();
      require(reserved == 0, start + 3, "reserved byte", reserved, "0");
      long offset = in.readLong();
      require(
          offset == align(end),
          start + 4,
          "offset",
          Long.toUnsignedString(offset),
          "%d, the first multiple of 64 behind what comes before".formatted(align(end)));
      long length = in.readLong();
      require(
          length >= 0 && length <= recordLength - offset,
          start + 12,
          "length",
          Long.toUnsignedString(length),
          "0 to %d, the bytes left in the record".formatted(recordLength - offset));
      long[] shape = new long[rank];
      for (int i = 0; i < rank; i++) {
        shape[i] = in.readLong();
      }
      String name = readName(nameLength, start + 2);
      String problem = Schema.shapeProblem(dtype, shape, length);
      if (problem != null) {
        throw new MalformedRecordException(
            start, "field '" + name + "'", problem, "a shape that fits its dtype and length");
      }
      require(names.add(name), start, "field name", "'" + name + "'", "once a record");
      end = offset + length;
      return new RecordLayout.Field(name, dtype, shape, (int) offset, (int) length);
    }

    private void readAttribute(Map<String, Object> attributes) {
      int start = at();
      int type = in.readByteUnsigned();
      int nameLength = in.readByteUnsigned();
      int valueLength = in.readShortUnsigned();
      String name = readName(nameLength, start + 1);
      require(
          type == TEXT || valueLength == (type == BOOL ? 1 : 8),
          start + 2,
          "length of attribute '" + name + "'",
          valueLength,
          "8, 1 for bool, any for text");
      Object value =
          switch (type) {
            case I64 -> in.readLong();
            case F64 -> in.readDouble();
            case BOOL -> readBoolean();
            case TEXT -> readText(valueLength, "attribute '" + name + "'");
            default ->
                throw new MalformedRecordException(
                    start, "type of attribute '" + name + "'", type, "1 to 4");
          };
      require(
          attributes.put(name, value) == null,
          start,
          "attribute name",
          "'" + name + "'",
          "once a record");
    }

    private boolean readBoolean() {
      int value = in.readByteUnsigned();
      require(value <= 1, at() - 1L, "bool", value, "0 or 1");
      return value == 1;
    }

    private String readName(int length, int lengthAt) {
      require(length > 0, lengthAt, "nameLength", length, "1 to 255");
      return readText(length, "name");
    }

    private String readText(int length, String what) {
      int start = at();
      String text = Utf8.decode(ByteBuffer.wrap(in.readBytes(length)));
      if (text == null) {
        throw new MalformedRecordException(start, what, "(not UTF-8)", "UTF-8 text");
      }
      return text;
    }
  }
}
