package io.trainingday.record;

import static java.nio.ByteOrder.LITTLE_ENDIAN;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

final class RecordCodecTest {
  private final RecordCodec codec = RecordCodec.create();

  @ParameterizedTest
  @EnumSource(
      value = DType.class,
      names = {"BYTES", "UTF8", "KRYO"},
      mode = EnumSource.Mode.EXCLUDE)
  void tensor_ofEveryType_comesBack(DType dtype) {
    byte[] data = new byte[2 * 3 * dtype.elementBytes()];
    new Random(dtype.code()).nextBytes(data);
    SampleRecord decoded =
        roundTrip(
            SampleRecord.builder().tensor("x", dtype, new long[] {2, 3}, ByteBuffer.wrap(data)));

    SampleRecord.Field x = decoded.field("x");
    assertThat(x.dtype()).isEqualTo(dtype);
    assertThat(x.shape()).containsExactly(2, 3);
    assertThat(x.data()).isEqualTo(ByteBuffer.wrap(data));
    assertThat(x.data().isReadOnly()).isTrue();
    assertThat(x.data().order()).isEqualTo(LITTLE_ENDIAN);
  }

  @Test
  void scalar_emptyTensor_textBytesAndAttributes_comeBack() {
    ByteBuffer label = ByteBuffer.allocate(8).order(LITTLE_ENDIAN).putLong(0, 7);
    SampleRecord decoded =
        roundTrip(
            SampleRecord.builder()
                .tensor("étiquette 标签", DType.I64, new long[0], label)
                .tensor("none", DType.F32, new long[] {0, 1L << 62, 4}, ByteBuffer.allocate(0))
                .utf8("text", "naïve 😀")
                .bytes("raw", new byte[] {1, 2, 3})
                .utf8("blank", "")
                .attribute("long", Long.MIN_VALUE)
                .attribute("double", Double.NaN)
                .attribute("bool", true)
                .attribute("text", "größe")
                .sourceStamp(-1)
                .createdMillis(1234));

    assertThat(decoded.field("étiquette 标签").data().getLong()).isEqualTo(7);
    assertThat(decoded.field("étiquette 标签").shape()).isEmpty();
    assertThat(decoded.field("none").data().remaining()).isZero();
    assertThat(decoded.field("none").shape()).containsExactly(0, 1L << 62, 4);
    assertThat(decoded.utf8("text")).isEqualTo("naïve 😀");
    assertThat(decoded.utf8("blank")).isEmpty();
    assertThat(decoded.bytes("raw")).containsExactly(1, 2, 3);
    assertThat(decoded.attributes())
        .containsExactly(
            Map.entry("long", Long.MIN_VALUE),
            Map.entry("double", Double.NaN),
            Map.entry("bool", true),
            Map.entry("text", "größe"));
    assertThat(decoded.sourceStamp()).isEqualTo(-1);
    assertThat(decoded.createdMillis()).isEqualTo(1234);
  }

  @Test
  void record_withoutFields_isHeaderAndDescriptorAlone() {
    SampleRecord record = SampleRecord.builder().build();

    assertThat(codec.encode(record)).hasSize(128);
    assertThat(roundTrip(SampleRecord.builder()).fields()).isEmpty();
  }

  @Test
  void encode_bigEndianBufferInTheMiddle_copiesItsBytesAsTheyAre() {
    ByteBuffer data = ByteBuffer.allocateDirect(12).order(ByteOrder.BIG_ENDIAN);
    data.putInt(4, 0x01020304).position(4).limit(8);
    SampleRecord decoded =
        roundTrip(SampleRecord.builder().tensor("x", DType.I32, new long[] {1}, data));

    assertThat(decoded.field("x").data().getInt()).isEqualTo(0x04030201);
    assertThat(data.position()).isEqualTo(4);
  }

  @Test
  void encode_intoTarget_movesItsPositionAndTouchesNothingElse() {
    SampleRecord record = TestRecords.image();
    int length = RecordCodec.encodedLength(record);
    ByteBuffer target = ByteBuffer.allocateDirect(length + 20);
    for (int i = 0; i < target.capacity(); i++) {
      target.put(i, (byte) 0x55);
    }
    target.position(7);

    assertThat(codec.encode(record, target)).isEqualTo(length);

    assertThat(target.position()).isEqualTo(7 + length);
    assertThat(target.slice(7, length)).isEqualTo(ByteBuffer.wrap(codec.encode(record)));
    assertThat(target.get(6)).isEqualTo((byte) 0x55);
    assertThat(target.get(7 + length)).isEqualTo((byte) 0x55);
  }

  @Test
  void encode_intoSmallTarget_isRefusedAndWritesNothing() {
    SampleRecord record = TestRecords.image();
    ByteBuffer target = ByteBuffer.allocate(100);

    assertThatThrownBy(() -> codec.encode(record, target))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage(
            "record of %d bytes, but the target has room for 100"
                .formatted(RecordCodec.encodedLength(record)));
    assertThat(target.position()).isZero();
    assertThat(target.array()).containsOnly(0);
  }

  @ParameterizedTest
  @ValueSource(booleans = {true, false})
  void layout_ofRecordAndOfBytes_agree(boolean direct) {
    SampleRecord record = TestRecords.image();
    byte[] bytes = codec.encode(record);
    ByteBuffer buffer =
        direct ? ByteBuffer.allocateDirect(bytes.length + 3) : ByteBuffer.allocate(200_000);
    buffer.position(3);
    buffer.put(bytes).position(3);

    RecordLayout planned = RecordLayout.of(record);
    RecordLayout parsed = RecordLayout.parse(buffer, bytes.length);

    assertThat(parsed.fields()).isEqualTo(planned.fields());
    assertThat(parsed.recordLength()).isEqualTo(bytes.length);
    assertThat(parsed.schemaHash()).isEqualTo(planned.schemaHash());
    assertThat(parsed.familyHash()).isEqualTo(planned.familyHash());
    assertThat(parsed.attributes()).isEqualTo(record.attributes());
    assertThat(parsed).hasToString("image u8[3,4,5], label i64[], name utf8[3], weights f32[2,1]");
    assertThat(buffer.position()).isEqualTo(3);
    assertThat(RecordLayout.isRecord(buffer, 3, bytes.length)).isTrue();
    assertThat(RecordLayout.isRecord(buffer, 3, bytes.length - 1)).isFalse();
    assertThat(RecordLayout.isRecord(buffer, 2, bytes.length)).isFalse();
    assertThat(RecordLayout.schemaHash(buffer, 3)).isEqualTo(parsed.schemaHash());
    assertThat(RecordLayout.bodyStart(buffer, 3)).isEqualTo(parsed.bodyStart());
    assertThat(RecordLayout.descriptorLength(buffer, 3)).isEqualTo(parsed.descriptorLength());
    assertThat(RecordLayout.bodyLength(buffer, 3))
        .isEqualTo(parsed.recordLength() - parsed.bodyStart());
    assertThat(RecordLayout.createdMillis(buffer, 3)).isEqualTo(record.createdMillis());
    assertThat(RecordLayout.sourceStamp(buffer, 3)).isEqualTo(record.sourceStamp());
    for (RecordLayout.Field field : parsed.fields()) {
      assertThat(field.offset() % RecordLayout.ALIGNMENT).isZero();
    }
  }

  @Test
  void schemaHash_followsShape_familyHashDoesNot() {
    RecordLayout three = floats("x", DType.F32, 3);
    RecordLayout four = floats("x", DType.F32, 4);

    assertThat(three.schemaHash()).isNotEqualTo(four.schemaHash());
    assertThat(three.familyHash()).isEqualTo(four.familyHash());
    assertThat(three.familyHash()).isNotEqualTo(floats("y", DType.F32, 3).familyHash());
    assertThat(three.familyHash()).isNotEqualTo(floats("x", DType.I32, 3).familyHash());
    assertThat(three.familyHash())
        .isNotEqualTo(
            RecordLayout.of(
                    SampleRecord.builder()
                        .tensor("x", DType.F32, new long[] {1, 3}, ByteBuffer.allocate(12))
                        .build())
                .familyHash());
  }

  @Test
  void fieldPlace_relativeToBody_isTheSameWhateverTheAttributes() {
    RecordLayout plain = RecordLayout.of(TestRecords.image());
    SampleRecord.Builder builder = SampleRecord.builder().attribute("long text", "x".repeat(500));
    for (SampleRecord.Field field : TestRecords.image().fields()) {
      if (field.dtype().isTensor()) {
        builder.tensor(field.name(), field.dtype(), field.shape(), field.data());
      } else {
        builder.utf8(field.name(), "abc");
      }
    }
    RecordLayout other = RecordLayout.of(builder.build());

    assertThat(other.schemaHash()).isEqualTo(plain.schemaHash());
    assertThat(other.bodyStart()).isNotEqualTo(plain.bodyStart());
    for (int f = 0; f < plain.fields().size(); f++) {
      assertThat(other.fields().get(f).offset() - other.bodyStart())
          .isEqualTo(plain.fields().get(f).offset() - plain.bodyStart());
    }
  }

  @Test
  void verify_everySingleFlippedBit_isFound() {
    byte[] bytes = codec.encode(TestRecords.image());
    assertThat(RecordCodec.verify(ByteBuffer.wrap(bytes))).isTrue();
    for (int bit = 0; bit < bytes.length * 8; bit++) {
      bytes[bit / 8] ^= (byte) (1 << bit % 8);
      assertThat(RecordCodec.verify(ByteBuffer.wrap(bytes))).as("bit %d", bit).isFalse();
      bytes[bit / 8] ^= (byte) (1 << bit % 8);
    }
    assertThat(RecordCodec.verify(ByteBuffer.wrap(Arrays.copyOf(bytes, bytes.length - 1))))
        .isFalse();
    assertThat(RecordCodec.verify(ByteBuffer.allocate(10))).isFalse();
  }

  @Test
  void builder_whatTheLayoutCannotHold_isRefusedInWords() {
    SampleRecord.Builder builder = SampleRecord.builder();
    ByteBuffer four = ByteBuffer.allocate(4);

    assertThatThrownBy(() -> builder.tensor("x", DType.F32, new long[] {2}, four))
        .hasMessage("field 'x': length=4 bytes, but shape=[2] of f32 needs 8");
    assertThatThrownBy(() -> builder.tensor("x", DType.F32, new long[] {-1}, four))
        .hasMessage("field 'x': shape=[-1], allowed: no negative dimension");
    assertThatThrownBy(() -> builder.tensor("x", DType.F32, new long[] {1L << 32, 1L << 32}, four))
        .hasMessage("field 'x': shape=[4294967296, 4294967296] of f32 is over 2 GiB");
    assertThatThrownBy(() -> builder.tensor("x", DType.U8, new long[17], four))
        .hasMessage("field 'x': rank=17, allowed: 0 to 16");
    assertThatThrownBy(() -> builder.tensor("x", DType.UTF8, new long[] {4}, four))
        .hasMessage("field 'x': dtype=utf8 is no tensor type, use utf8()");
    assertThatThrownBy(() -> builder.utf8("", "x"))
        .hasMessage("field name '' has 0 bytes of UTF-8, allowed: 1 to 255");
    assertThatThrownBy(() -> builder.utf8("é".repeat(128), "x"))
        .hasMessageEndingWith("has 256 bytes of UTF-8, allowed: 1 to 255");
    assertThatThrownBy(() -> builder.utf8("x", "\ud800"))
        .hasMessage("field 'x' holds half of a surrogate pair, which UTF-8 cannot carry");
    assertThatThrownBy(() -> builder.utf8("x", "1").utf8("x", "2"))
        .hasMessage("field 'x' is set twice");
    assertThatThrownBy(() -> builder.attribute("a", 1).attribute("a", 2))
        .hasMessage("attribute 'a' is set twice: 1 and 2");
    assertThatThrownBy(() -> builder.attribute("b", "x".repeat(65_536)))
        .hasMessage(
            "attribute 'b' has 65536 bytes of UTF-8, allowed: up to 65535; use a utf8 field");
  }

  @Test
  void record_overItsLimits_isRefusedInWords() {
    SampleRecord.Builder many = SampleRecord.builder();
    for (int i = 0; i < RecordLayout.MAX_FIELDS; i++) {
      many.utf8("f" + i, "");
    }
    assertThat(codec.decode(ByteBuffer.wrap(codec.encode(many.build()))).fields()).hasSize(256);
    assertThatThrownBy(() -> many.utf8("one more", ""))
        .hasMessage("fields=257, allowed: up to 256 a record");

    SampleRecord wordy = SampleRecord.builder().attribute("a", "x".repeat(65_535)).build();
    assertThatThrownBy(() -> codec.encode(wordy))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage(
            "names, shapes and attributes take 65544 bytes, allowed: up to 65536 a record; shorten attributes or make them fields");
  }

  @Test
  void field_thatIsNotThere_namesThoseThatAre() {
    assertThatThrownBy(() -> TestRecords.image().field("imgae"))
        .hasMessage("field 'imgae' is not in the record, it has: image, label, name, weights");
    assertThatThrownBy(() -> TestRecords.image().utf8("image"))
        .hasMessage("field 'image' is u8, not utf8");
  }

  private SampleRecord roundTrip(SampleRecord.Builder builder) {
    byte[] bytes = codec.encode(builder.build());
    assertThat(RecordCodec.verify(ByteBuffer.wrap(bytes))).isTrue();
    return codec.decode(ByteBuffer.wrap(bytes));
  }

  private static RecordLayout floats(String name, DType dtype, int count) {
    return RecordLayout.of(
        SampleRecord.builder()
            .tensor(name, dtype, new long[] {count}, ByteBuffer.allocate(4 * count))
            .build());
  }
}
