package io.trainingday.record;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.ByteBuffer;
import org.junit.jupiter.api.Test;

final class CollatedLayoutTest {
  @Test
  void fields_lieOneBehindTheOther_aligned() {
    CollatedLayout batch = CollatedLayout.of(RecordLayout.of(TestRecords.image()), 3);

    assertThat(batch.batchSize()).isEqualTo(3);
    assertThat(batch.fieldCount()).isEqualTo(4);
    assertThat(batch.fieldBytes(0)).isEqualTo(60);
    assertThat(batch.fieldOffset(0)).isZero();
    assertThat(batch.position(0, 2)).isEqualTo(120);
    assertThat(batch.fieldOffset(1)).isEqualTo(192); // 180 bytes of images
    assertThat(batch.fieldOffset(2)).isEqualTo(256);
    assertThat(batch.fieldOffset(3)).isEqualTo(320);
    assertThat(batch.position(3, 1)).isEqualTo(328);
    assertThat(batch.totalBytes()).isEqualTo(384);
  }

  @Test
  void batch_over2GiB_isCountedInFull() {
    RecordLayout sample =
        RecordLayout.of(
            SampleRecord.builder()
                .tensor("x", DType.U8, new long[] {1 << 20}, ByteBuffer.allocate(1 << 20))
                .build());

    assertThat(CollatedLayout.of(sample, 1 << 14).totalBytes()).isEqualTo(1L << 34);
    assertThat(CollatedLayout.of(sample, Integer.MAX_VALUE).position(0, Integer.MAX_VALUE - 1))
        .isEqualTo((Integer.MAX_VALUE - 1L) << 20);
  }

  @Test
  void batch_ofNothing() {
    CollatedLayout empty = CollatedLayout.of(RecordLayout.of(SampleRecord.builder().build()), 8);

    assertThat(empty.totalBytes()).isZero();
    assertThatThrownBy(() -> CollatedLayout.of(RecordLayout.of(TestRecords.image()), 0))
        .hasMessage("batchSize=0, allowed: from 1");
  }
}
