package io.trainingday.record;

import static java.nio.ByteOrder.LITTLE_ENDIAN;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.Random;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.Size;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Whatever the bytes: a record or a typed error, and memory in proportion to the bytes. */
final class MalformedRecordTest {
  private static final long[] HOSTILE = {
    -1,
    0,
    1,
    63,
    64,
    255,
    65_535,
    65_536,
    65_537,
    Integer.MAX_VALUE - 63L,
    Integer.MAX_VALUE,
    Integer.MIN_VALUE,
    1L << 32,
    Long.MAX_VALUE,
    Long.MIN_VALUE,
    Long.MAX_VALUE - 63
  };

  private final RecordCodec codec = RecordCodec.create();
  private final byte[] valid = codec.encode(TestRecords.image());

  @Property(tries = 2000)
  void arbitraryBytes(@ForAll @Size(max = 600) byte[] bytes) {
    assertSafe(bytes);
  }

  @Property(tries = 2000)
  void arbitraryDescriptor_behindASoundHeader(@ForAll @Size(min = 4, max = 600) byte[] descriptor) {
    int bodyStart = RecordLayout.bodyStartOf(descriptor.length);
    ByteBuffer record = ByteBuffer.allocate(bodyStart + 512).order(LITTLE_ENDIAN);
    record.put(0, valid, 0, RecordLayout.HEADER_BYTES);
    record.putLong(RecordLayout.BODY_LENGTH_AT, 512);
    record.putInt(RecordLayout.DESCRIPTOR_LENGTH_AT, descriptor.length);
    record.put(RecordLayout.HEADER_BYTES, descriptor);
    record.put(RecordLayout.HEADER_BYTES + 1, (byte) 0); // few enough fields to get further
    assertSafe(record.array());
  }

  @Property(tries = 5000)
  void mutatedRecords(@ForAll long seed) {
    Random random = new Random(seed);
    byte[] bytes = valid.clone();
    ByteBuffer buffer = ByteBuffer.wrap(bytes).order(LITTLE_ENDIAN);
    for (int i = random.nextInt(3); i >= 0; i--) {
      long value =
          random.nextBoolean() ? HOSTILE[random.nextInt(HOSTILE.length)] : random.nextLong();
      int at = random.nextInt(320);
      switch (random.nextInt(4)) {
        case 0 -> buffer.put(at, (byte) value);
        case 1 -> buffer.putShort(at, (short) value);
        case 2 -> buffer.putInt(at, (int) value);
        default -> buffer.putLong(at, value);
      }
    }
    assertSafe(
        random.nextInt(4) > 0 ? bytes : Arrays.copyOf(bytes, random.nextInt(2 * bytes.length)));
  }

  @Test
  void everyTruncation_isRefused() {
    for (int length = 0; length < valid.length; length++) {
      byte[] cut = Arrays.copyOf(valid, length);
      assertThatThrownBy(() -> codec.decode(ByteBuffer.wrap(cut)))
          .as("%d of %d bytes", length, valid.length)
          .isInstanceOf(MalformedRecordException.class);
      assertThat(RecordLayout.isRecord(ByteBuffer.wrap(cut), 0, length)).isFalse();
    }
  }

  @Test
  void oneByteMore_isRefused() {
    assertThatThrownBy(() -> codec.decode(ByteBuffer.wrap(Arrays.copyOf(valid, valid.length + 1))))
        .isInstanceOf(MalformedRecordException.class)
        .hasMessageContaining("bodyLength");
  }

  @ParameterizedTest
  @ValueSource(ints = {RecordLayout.BODY_LENGTH_AT, RecordLayout.DESCRIPTOR_LENGTH_AT})
  void hostileLengths_inTheHeader_areRefused(int at) {
    for (long value : HOSTILE) {
      ByteBuffer buffer = ByteBuffer.wrap(valid.clone()).order(LITTLE_ENDIAN);
      if (at == RecordLayout.BODY_LENGTH_AT) {
        buffer.putLong(at, value);
      } else {
        buffer.putInt(at, (int) value);
      }
      assertThatThrownBy(() -> codec.decode(buffer)).isInstanceOf(MalformedRecordException.class);
      assertThat(RecordLayout.isRecord(buffer, 0, valid.length)).isFalse();
      assertSafe(buffer.array());
    }
  }

  @Test
  void parse_recordLengthOutsideTheFormat_isRefused() {
    for (int length : new int[] {-1, 0, 67, Integer.MIN_VALUE, Integer.MAX_VALUE}) {
      assertThatThrownBy(() -> RecordLayout.parse(ByteBuffer.wrap(valid), length))
          .isInstanceOf(MalformedRecordException.class)
          .hasMessage(
              "record byte 0: record length=%d, allowed: 68 to 2147483584".formatted(length));
    }
  }

  @Test
  void parse_headWithoutTheBody_isEnough() {
    int bodyStart = RecordLayout.bodyStart(ByteBuffer.wrap(valid), 0);
    ByteBuffer head = ByteBuffer.wrap(Arrays.copyOf(valid, bodyStart));

    assertThat(RecordLayout.parse(head, valid.length).fields())
        .isEqualTo(RecordLayout.of(TestRecords.image()).fields());
    assertThatThrownBy(() -> RecordLayout.parse(head.limit(bodyStart - 1), valid.length))
        .isInstanceOf(MalformedRecordException.class)
        .hasMessage(
            "record byte 64: bytes at hand=%d, allowed: at least the %d before the body"
                .formatted(bodyStart - 1, bodyStart));
  }

  @Test
  void error_saysWhereWhatAndWhatIsAllowed() {
    ByteBuffer buffer = ByteBuffer.wrap(valid.clone()).order(LITTLE_ENDIAN);
    buffer.put(68, (byte) 99);

    assertThatThrownBy(() -> codec.decode(buffer))
        .isInstanceOfSatisfying(
            MalformedRecordException.class, e -> assertThat(e.offset()).isEqualTo(68))
        .hasMessage("record byte 68: dtype=99, allowed: 1 to 13");
  }

  @Test
  void utf8Field_withOtherBytes_isATypedError() {
    byte[] bytes = codec.encode(SampleRecord.builder().utf8("t", "ab").createdMillis(0).build());
    bytes[bytes.length - 1] = (byte) 0xFF;
    SampleRecord record = codec.decode(ByteBuffer.wrap(bytes));

    assertThatThrownBy(() -> record.utf8("t"))
        .isInstanceOf(MalformedRecordException.class)
        .hasMessageContaining("field 't'=(not UTF-8), allowed: UTF-8 text");
  }

  private void assertSafe(byte[] bytes) {
    ByteBuffer buffer = ByteBuffer.wrap(bytes);
    boolean[] sound = {false};
    long allocated =
        Allocation.of(
            () -> {
              boolean sane = RecordLayout.isRecord(buffer, 0, bytes.length);
              RecordCodec.verify(buffer);
              try {
                SampleRecord record = codec.decode(buffer);
                sound[0] = sane;
                assertThat(RecordLayout.of(record).recordLength()).isEqualTo(bytes.length);
              } catch (MalformedRecordException e) {
                sound[0] = e.getMessage() != null && e.getMessage().startsWith("record byte ");
              }
            });
    assertThat(sound[0]).isTrue();
    assertThat(allocated).isLessThan(2 << 20);
  }
}
