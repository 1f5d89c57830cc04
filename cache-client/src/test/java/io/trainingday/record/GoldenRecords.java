package io.trainingday.record;

import static java.nio.ByteOrder.LITTLE_ENDIAN;

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import java.util.stream.Collectors;

/** What the golden files hold. */
final class GoldenRecords {
  private static final RecordCodec CODEC = RecordCodec.create();

  private GoldenRecords() {}

  record Good(String file, SampleRecord record) {
    byte[] bytes(int format) {
      return encode(record, format);
    }

    @Override
    public String toString() {
      return file;
    }
  }

  /** Bytes that are no record, with the message after "record byte OFFSET: ". */
  static final class Bad {
    private final String file;
    private final byte[] bytes;
    private final long offset;
    private final String reason;

    Bad(String file, byte[] bytes, long offset, String reason) {
      this.file = file;
      this.bytes = bytes;
      this.offset = offset;
      this.reason = reason;
    }

    String file() {
      return file;
    }

    byte[] bytes() {
      return bytes;
    }

    long offset() {
      return offset;
    }

    String reason() {
      return reason;
    }

    @Override
    public String toString() {
      return file;
    }
  }

  private static byte[] encode(SampleRecord record, int format) {
    byte[] bytes = CODEC.encode(record);
    if (format == RecordFormat.OLDEST) {
      RecordFormat.toOldest(ByteBuffer.wrap(bytes), 0, bytes.length);
    }
    return bytes;
  }

  /** The tiny record with flags and bytes that came after this format, and may be passed over. */
  static byte[] withExtras() {
    ByteBuffer bytes = ByteBuffer.wrap(CODEC.encode(tiny())).order(LITTLE_ENDIAN);
    bytes.putShort(RecordLayout.FLAGS_AT, (short) 0x8100);
    for (int at = RecordLayout.RESERVED_AT; at < RecordLayout.HEADER_BYTES; at++) {
      bytes.put(at, (byte) at);
    }
    int crc = new RecordChecksum().compute(bytes, 0, bytes.capacity());
    return bytes.putInt(RecordLayout.CRC_AT, crc).array();
  }

  static List<Good> good() {
    return List.of(
        new Good("tiny.tdr", tiny()),
        new Good("empty.tdr", SampleRecord.builder().createdMillis(0).build()),
        new Good("every-dtype.tdr", everyDtype()),
        new Good("image.tdr", image()),
        new Good("edges.tdr", edges()),
        new Good(
            "object.tdr",
            SampleRecord.builder().object("note", "naïve", CODEC).createdMillis(1).build()));
  }

  private static SampleRecord tiny() {
    ByteBuffer x = ByteBuffer.allocate(8).order(LITTLE_ENDIAN).putFloat(0, 1.5f).putFloat(4, -2f);
    return SampleRecord.builder()
        .tensor("x", DType.F32, new long[] {2}, x)
        .utf8("t", "hé")
        .attribute("n", 7)
        .sourceStamp(0x1122334455667788L)
        .createdMillis(1_700_000_000_000L)
        .build();
  }

  private static SampleRecord everyDtype() {
    SampleRecord.Builder builder = SampleRecord.builder().createdMillis(-1);
    for (DType dtype : DType.values()) {
      if (dtype.isTensor()) {
        byte[] data = new byte[3 * dtype.elementBytes()];
        for (int i = 0; i < data.length; i++) {
          data[i] = (byte) (dtype == DType.BOOL ? i % 2 : 16 * dtype.code() + i);
        }
        builder.tensor("a " + dtype.wireName(), dtype, new long[] {3}, ByteBuffer.wrap(data));
      }
    }
    return builder.bytes("some bytes", new byte[] {0, -1, 127, -128}).utf8("text", "z😀").build();
  }

  private static SampleRecord image() {
    byte[] pixels = new byte[3 * 8 * 8];
    for (int i = 0; i < pixels.length; i++) {
      pixels[i] = (byte) (i * 37);
    }
    ByteBuffer label = ByteBuffer.allocate(8).order(LITTLE_ENDIAN).putLong(0, 4_000_000_000L);
    return SampleRecord.builder()
        .tensor("image", DType.U8, new long[] {3, 8, 8}, ByteBuffer.wrap(pixels))
        .tensor("étiquette", DType.I64, new long[0], label)
        .attribute("width", 640L)
        .attribute("smallest", Long.MIN_VALUE)
        .attribute("scale", 0.1)
        .attribute("flipped", true)
        .attribute("cropped", false)
        .attribute("source", "photo \"größe\"\n\\ 😀")
        .sourceStamp(-1)
        .createdMillis(1_700_000_000_001L)
        .build();
  }

  private static SampleRecord edges() {
    byte[] exact = new byte[64];
    Arrays.fill(exact, (byte) 0xAB);
    return SampleRecord.builder()
        .tensor("none first", DType.F64, new long[] {0}, ByteBuffer.allocate(0))
        .bytes("fills its 64", exact)
        .utf8("blank", "")
        .tensor("none", DType.F32, new long[] {1L << 62, 0, 1L << 62}, ByteBuffer.allocate(0))
        .tensor("one", DType.BOOL, new long[0], ByteBuffer.wrap(new byte[] {1}))
        .tensor(
            "rank 16",
            DType.I16,
            new long[] {1, 1, 1, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 3},
            ByteBuffer.wrap(new byte[] {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}))
        .utf8("é".repeat(127) + "n", "longest name")
        .tensor("none last", DType.I32, new long[] {3, 0}, ByteBuffer.allocate(0))
        .createdMillis(Long.MAX_VALUE)
        .build();
  }

  /** All made of the tiny record, whose descriptor starts at 64 and body at 192. */
  static List<Bad> bad(int format) {
    Changes all = new Changes(format);
    byte[] tiny = encode(tiny(), format);
    String fits = "allowed: a shape that fits its dtype and length";
    all.list.add(
        new Bad(
            "header-cut.tdr",
            Arrays.copyOf(tiny, 63),
            0,
            "record length=63, allowed: 68 to 2147483584"));
    all.list.add(
        new Bad(
            "body-cut.tdr",
            Arrays.copyOf(tiny, tiny.length - 1),
            16,
            "bodyLength=67, allowed: record length 258 - body start 192"));
    all.list.add(
        new Bad(
            "byte-too-many.tdr",
            Arrays.copyOf(tiny, tiny.length + 1),
            16,
            "bodyLength=67, allowed: record length 260 - body start 192"));
    change(
        all, "magic", 0, "magic=31524455, allowed: 31524454, \"TDR1\"", b -> b.put(0, (byte) 'U'));
    if (format == RecordFormat.OLDEST) {
      // As those who know no other format see it; to this code it is a record.
      change(all, "version", 4, "formatVersion=2, allowed: 1", b -> b.putShort(4, (short) 2));
      change(all, "flags", 6, "flags=1, allowed: 0", b -> b.putShort(6, (short) 1));
    } else {
      change(all, "version", 4, "formatVersion=3, allowed: 1, 2", b -> b.putShort(4, (short) 3));
      change(
          all, "version-zero", 4, "formatVersion=0, allowed: 1, 2", b -> b.putShort(4, (short) 0));
      change(
          all,
          "flags-needed",
          6,
          "flags=128, allowed: 0 of those a reader must know; a newer writer set them, update this side",
          b -> b.putShort(6, (short) 0x0180));
    }
    change(
        all,
        "schema-hash",
        8,
        "schemaHash=0, allowed: the hash of its fields, "
            + Long.toHexString(RecordLayout.of(tiny()).schemaHash()),
        b -> b.putLong(8, 0));
    change(
        all,
        "body-length-negative",
        16,
        "bodyLength=18446744073709551615, allowed: record length 259 - body start 192",
        b -> b.putLong(16, -1));
    change(
        all,
        "descriptor-length-huge",
        24,
        "descriptorLength=4294967295, allowed: 4 to 65536",
        b -> b.putInt(24, -1));
    change(
        all,
        "descriptor-length-short",
        24,
        "descriptorLength=3, allowed: 4 to 65536",
        b -> b.putInt(24, 3));
    change(
        all,
        "descriptor-cut",
        131,
        "descriptorLength=70, allowed: as many bytes as its fields and attributes take, they need more",
        b -> b.putInt(24, 70));
    change(
        all,
        "descriptor-bytes-left",
        139,
        "descriptorLength=76, allowed: 75, which its fields and attributes take",
        b -> b.putInt(24, 76));
    change(all, "reserved", 52, "reserved byte=1, allowed: 0", b -> b.put(52, (byte) 1));
    change(
        all,
        "field-count",
        64,
        "fieldCount=257, allowed: 0 to 256",
        b -> b.putShort(64, (short) 257));
    change(
        all,
        "attribute-count",
        66,
        "attributeCount=257, allowed: 0 to 256",
        b -> b.putShort(66, (short) 257));
    change(all, "dtype-zero", 68, "dtype=0, allowed: 1 to 13", b -> b.put(68, (byte) 0));
    change(all, "dtype-unknown", 68, "dtype=14, allowed: 1 to 13", b -> b.put(68, (byte) 14));
    change(all, "rank", 69, "rank=17, allowed: 0 to 16", b -> b.put(69, (byte) 17));
    change(all, "name-empty", 70, "nameLength=0, allowed: 1 to 255", b -> b.put(70, (byte) 0));
    change(all, "field-reserved", 71, "reserved byte=1, allowed: 0", b -> b.put(71, (byte) 1));
    change(
        all,
        "offset-unaligned",
        72,
        "offset=196, allowed: 192, the first multiple of 64 behind what comes before",
        b -> b.putLong(72, 196));
    change(
        all,
        "offset-over-the-end",
        72,
        "offset=9223372036854775744, allowed: 192, the first multiple of 64 behind what comes before",
        b -> b.putLong(72, Long.MAX_VALUE - 63));
    change(
        all,
        "length-over-the-end",
        80,
        "length=68, allowed: 0 to 67, the bytes left in the record",
        b -> b.putLong(80, 68));
    change(
        all,
        "length-negative",
        80,
        "length=18446744073709551615, allowed: 0 to 67, the bytes left in the record",
        b -> b.putLong(80, -1));
    change(
        all,
        "length-not-of-the-shape",
        68,
        "field 'x'=length=12 bytes, but shape=[2] of f32 needs 8, " + fits,
        b -> b.putLong(80, 12));
    change(
        all,
        "dimension-negative",
        68,
        "field 'x'=shape=[-2], allowed: no negative dimension, " + fits,
        b -> b.putLong(88, -2));
    change(
        all,
        "dimension-overflow",
        68,
        "field 'x'=shape=[4611686018427387906] of f32 is over 2 GiB, " + fits,
        b -> b.putLong(88, (1L << 62) + 2)); // times 4 is 8 in 64 bits
    change(
        all,
        "name-not-utf8",
        96,
        "name=(not UTF-8), allowed: UTF-8 text",
        b -> b.put(96, (byte) 0xFF));
    change(
        all,
        "offset-overlap",
        101,
        "offset=192, allowed: 256, the first multiple of 64 behind what comes before",
        b -> b.putLong(101, 192));
    change(
        all,
        "name-twice",
        97,
        "field name='x', allowed: once a record",
        b -> b.put(125, (byte) 'x'));
    change(
        all,
        "body-longer-than-fields",
        16,
        "bodyLength=67, allowed: 66, where the last field ends",
        b -> b.putLong(109, 2).putLong(117, 2));
    change(
        all,
        "attribute-type",
        126,
        "type of attribute 'n'=5, allowed: 1 to 4",
        b -> b.put(126, (byte) 5));
    change(
        all,
        "attribute-length",
        128,
        "length of attribute 'n'=4, allowed: 8, 1 for bool, any for text",
        b -> b.putShort(128, (short) 4));
    change(all, "attribute-bool", 131, "bool=7, allowed: 0 or 1", GoldenRecords::makeBool);
    change(all, "padding", 191, "padding=1, allowed: 0", b -> b.put(191, (byte) 1));
    change(all, "gap", 200, "gap=-1, allowed: 0", b -> b.put(200, (byte) -1));
    return all.list;
  }

  private static final class Changes {
    final int format;
    final List<Bad> list = new ArrayList<>();

    Changes(int format) {
      this.format = format;
    }
  }

  /** The attribute of eight bytes 7, 0, ... turned into a bool of one byte 7. */
  private static void makeBool(ByteBuffer record) {
    record.put(126, (byte) 3).putShort(128, (short) 1);
    record.putInt(RecordLayout.DESCRIPTOR_LENGTH_AT, 75 - 7);
  }

  /** Every change keeps the checksum right, so that nothing but the reason is wrong. */
  private static void change(
      Changes all, String file, long offset, String reason, Consumer<ByteBuffer> change) {
    ByteBuffer bytes = ByteBuffer.wrap(encode(tiny(), all.format)).order(LITTLE_ENDIAN);
    change.accept(bytes);
    int crc = new RecordChecksum().compute(bytes, 0, bytes.capacity());
    bytes.putInt(RecordLayout.CRC_AT, crc);
    all.list.add(new Bad(file + ".tdr", bytes.array(), offset, reason));
  }

  /** The description other languages check against. */
  static String json(int format) {
    return """
        {
          "records": [
        %s
          ],
          "malformed": [
        %s
          ]
        }
        """
        .formatted(
            good().stream().map(good -> describe(good, format)).collect(Collectors.joining(",\n")),
            bad(format).stream()
                .map(
                    bad ->
                        "    {\"file\": %s, \"offset\": %d, \"reason\": %s}"
                            .formatted(
                                text("malformed/" + bad.file()), bad.offset(), text(bad.reason())))
                .collect(Collectors.joining(",\n")));
  }

  private static String describe(Good good, int format) {
    byte[] bytes = good.bytes(format);
    ByteBuffer buffer = ByteBuffer.wrap(bytes);
    RecordLayout layout = RecordLayout.parse(buffer, bytes.length);
    return """
            {
              "file": %s,
              "length": %d,
              "bodyStart": %d,
              "crc32": "%08x",
              "schemaHash": "%016x",
              "familyHash": "%016x",
              "sourceStamp": "%016x",
              "createdMillis": %d,
              "attributes": [%s],
              "fields": [%s]
            }"""
        .formatted(
            text(good.file()),
            bytes.length,
            layout.bodyStart(),
            RecordLayout.crc(buffer, 0),
            layout.schemaHash(),
            layout.familyHash(),
            layout.sourceStamp(),
            layout.createdMillis(),
            lines(layout.attributes().entrySet().stream().map(GoldenRecords::attribute).toList()),
            lines(layout.fields().stream().map(field -> field(field, bytes)).toList()))
        .indent(4)
        .stripTrailing();
  }

  private static String attribute(Map.Entry<String, Object> attribute) {
    Object value = attribute.getValue();
    return "{\"name\": %s, \"type\": \"%s\", \"value\": %s}"
        .formatted(
            text(attribute.getKey()),
            value instanceof Long
                ? "i64"
                : value instanceof Double ? "f64" : value instanceof Boolean ? "bool" : "utf8",
            value instanceof String string ? text(string) : value);
  }

  private static String field(RecordLayout.Field field, byte[] bytes) {
    return "{\"name\": %s, \"dtype\": \"%s\", \"shape\": %s, \"offset\": %d, \"length\": %d, \"hex\": \"%s\"}"
        .formatted(
            text(field.name()),
            field.dtype().wireName(),
            Arrays.toString(field.shape()),
            field.offset(),
            field.length(),
            HexFormat.of().formatHex(bytes, field.offset(), field.offset() + field.length()));
  }

  private static String lines(List<String> parts) {
    return parts.isEmpty() ? "" : "\n    " + String.join(",\n    ", parts) + "\n  ";
  }

  private static String text(String value) {
    return '"' + value.replace("\\", "\\\\").replace("\"", "\\\"").replace("\n", "\\n") + '"';
  }
}
