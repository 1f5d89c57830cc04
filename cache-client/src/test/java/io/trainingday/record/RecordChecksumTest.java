package io.trainingday.record;

import static java.nio.ByteOrder.LITTLE_ENDIAN;
import static org.assertj.core.api.Assertions.assertThat;

import java.nio.ByteBuffer;
import java.util.List;
import java.util.zip.CRC32C;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A record whose fields were copied to a collated batch, its head elsewhere; sealed or not. */
@ParameterizedClass
@ValueSource(booleans = {false, true})
final class RecordChecksumTest {
  private final byte[] bytes = RecordCodec.create().encode(TestRecords.image());
  private final RecordLayout layout = RecordLayout.parse(ByteBuffer.wrap(bytes), bytes.length);
  private final CollatedLayout batch = CollatedLayout.of(layout, 3);
  private final RecordChecksum checksum = new RecordChecksum();

  RecordChecksumTest(boolean sealed) {
    if (sealed) {
      checksum.seal(ByteBuffer.wrap(bytes), 0, bytes.length);
    }
  }

  @Test
  void seal_isCrc32c_ofAllOtherBytes_andChangesNothingElse() {
    byte[] unsealed = RecordCodec.create().encode(TestRecords.image());
    byte[] sealed = unsealed.clone();
    checksum.seal(ByteBuffer.wrap(sealed), 0, sealed.length);
    CRC32C expected = new CRC32C();
    expected.update(sealed, 0, 48);
    expected.update(sealed, 52, sealed.length - 52);

    assertThat(ByteBuffer.wrap(sealed).order(LITTLE_ENDIAN).getInt(48))
        .isEqualTo((int) expected.getValue())
        .isNotZero();
    ByteBuffer.wrap(sealed).putInt(48, 0);
    assertThat(sealed).isEqualTo(unsealed);
  }

  @Test
  void crc_isTheSame_withAndWithoutSeal() {
    ByteBuffer record = ByteBuffer.wrap(bytes);
    assertThat(checksum.compute(record, 0, bytes.length)).isEqualTo(RecordLayout.crc(record, 0));
    checksum.seal(record, 0, bytes.length);
    assertThat(checksum.compute(record, 0, bytes.length)).isEqualTo(RecordLayout.crc(record, 0));
    assertThat(RecordCodec.create().decode(record).fields())
        .hasSize(TestRecords.image().fields().size());
  }

  @Test
  void wholeRecord_anyFlippedBit_doesNotMatch() {
    ByteBuffer record = ByteBuffer.wrap(bytes);
    assertThat(checksum.matches(record, 0, bytes.length)).isTrue();
    for (int at = 0; at < bytes.length; at++) {
      for (int bit = 0; bit < 8; bit++) {
        flip(record, at, bit);
        assertThat(checksum.matches(record, 0, bytes.length)).isFalse();
        flip(record, at, bit);
      }
    }
  }

  @ParameterizedTest
  @ValueSource(booleans = {true, false})
  void scatteredRecord_whole_matches(boolean direct) {
    ByteBuffer head = buffer(direct, 5 + layout.bodyStart());
    ByteBuffer slot = buffer(direct, (int) batch.totalBytes());
    for (int sample = 0; sample < 3; sample++) {
      scatter(head, slot, sample);
    }
    for (int sample = 0; sample < 3; sample++) {
      assertThat(matches(head, slot, sample)).isTrue();
    }
    assertThat(slot.position()).isZero();
    assertThat(slot.limit()).isEqualTo(slot.capacity());
  }

  @ParameterizedTest
  @ValueSource(booleans = {true, false})
  void scatteredRecord_anyFlippedBit_doesNotMatch(boolean direct) {
    ByteBuffer head = buffer(direct, 5 + layout.bodyStart());
    ByteBuffer slot = buffer(direct, (int) batch.totalBytes());
    scatter(head, slot, 1);
    // The two length fields steer the pieces; a header with wrong ones is none (isRecord).
    for (int at = 5; at < head.limit(); at++) {
      boolean length = at - 5 >= RecordLayout.BODY_LENGTH_AT && at - 5 < RecordLayout.CRC_AT;
      for (int bit = 0; bit < 8 && !length; bit++) {
        flip(head, at, bit);
        assertThat(matches(head, slot, 1)).isFalse();
        flip(head, at, bit);
      }
    }
    for (int f = 0; f < batch.fieldCount(); f++) {
      for (int at = 0; at < batch.fieldBytes(f); at++) {
        flip(slot, (int) batch.position(f, 1) + at, at % 8);
        assertThat(matches(head, slot, 1)).isFalse();
        flip(slot, (int) batch.position(f, 1) + at, at % 8);
      }
    }
    assertThat(matches(head, slot, 1)).isTrue();
  }

  @ParameterizedTest
  @ValueSource(ints = {0, 1, 2, 3})
  void scatteredRecord_fieldMissing_doesNotMatch(int missing) {
    checksum.begin(ByteBuffer.wrap(bytes), 0);
    List<RecordLayout.Field> fields = layout.fields();
    for (int f = 0; f < fields.size(); f++) {
      if (f != missing) {
        checksum.field(ByteBuffer.wrap(bytes), fields.get(f).offset(), fields.get(f).length());
      }
    }
    assertThat(checksum.matches()).isFalse();
  }

  @ParameterizedTest
  @ValueSource(booleans = {true, false})
  void checking_allocatesNothing(boolean scattered) {
    ByteBuffer head = buffer(true, 5 + layout.bodyStart());
    ByteBuffer slot = buffer(true, (int) batch.totalBytes());
    scatter(head, slot, 0);
    ByteBuffer whole = ByteBuffer.allocateDirect(bytes.length).put(bytes).flip();
    int[] matched = {0};
    Runnable check =
        () -> {
          for (int i = 0; i < 1000; i++) {
            boolean sound =
                scattered
                    ? matches(head, slot, 0)
                    : RecordLayout.isRecord(whole, 0, bytes.length)
                        && checksum.matches(whole, 0, bytes.length);
            matched[0] += sound ? 1 : 0;
          }
        };
    Allocation.of(check);
    assertThat(Allocation.of(check)).isLessThan(1000);
    assertThat(matched[0]).isEqualTo(2000);
  }

  private void scatter(ByteBuffer head, ByteBuffer slot, int sample) {
    head.put(5, bytes, 0, layout.bodyStart());
    for (int f = 0; f < batch.fieldCount(); f++) {
      slot.put(
          (int) batch.position(f, sample),
          bytes,
          layout.fields().get(f).offset(),
          batch.fieldBytes(f));
    }
  }

  private boolean matches(ByteBuffer head, ByteBuffer slot, int sample) {
    checksum.begin(head, 5);
    for (int f = 0; f < batch.fieldCount(); f++) {
      checksum.field(slot, (int) batch.position(f, sample), batch.fieldBytes(f));
    }
    return checksum.matches();
  }

  private static void flip(ByteBuffer buffer, int at, int bit) {
    buffer.put(at, (byte) (buffer.get(at) ^ 1 << bit));
  }

  private static ByteBuffer buffer(boolean direct, int bytes) {
    return direct ? ByteBuffer.allocateDirect(bytes) : ByteBuffer.allocate(bytes);
  }
}
