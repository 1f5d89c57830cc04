package io.trainingday.record;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.ByteBuffer;
import java.util.List;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A record whose fields were copied to a collated batch, its head elsewhere. */
final class RecordChecksumTest {
  private final RecordCodec codec = RecordCodec.create();
  private final byte[] bytes = codec.encode(TestRecords.image());
  private final RecordLayout layout = RecordLayout.parse(ByteBuffer.wrap(bytes), bytes.length);
  private final CollatedLayout batch = CollatedLayout.of(layout, 3);
  private final RecordChecksum checksum = new RecordChecksum();

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
