package io.trainingday.client;

import static org.assertj.core.api.Assertions.assertThat;

import io.trainingday.record.DType;
import io.trainingday.record.RecordCodec;
import io.trainingday.record.SampleRecord;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.concurrent.atomic.AtomicInteger;

/** Samples whose content tells their index, and loaders of them. */
final class Samples implements SampleLoader {
  private static final RecordCodec CODEC = RecordCodec.create();

  private final AtomicInteger loads = new AtomicInteger();
  private final boolean sameShape;

  private Samples(boolean sameShape) {
    this.sameShape = sameShape;
  }

  /** All of one shape. */
  static Samples equal() {
    return new Samples(true);
  }

  /** Of different shapes, which only ragged reads and reads of records take. */
  static Samples different() {
    return new Samples(false);
  }

  static Samples fitting(ReadShape shape) {
    return new Samples(shape == ReadShape.COLLATED);
  }

  @Override
  public SampleRecord load(long index) {
    loads.incrementAndGet();
    return record(index);
  }

  int loads() {
    return loads.get();
  }

  SampleRecord record(long index) {
    ByteBuffer pixels = ByteBuffer.allocate(rows(index) * 3 * 4).order(ByteOrder.LITTLE_ENDIAN);
    for (int i = 0; i < pixels.capacity() / 4; i++) {
      pixels.putFloat(i * 4, (float) (index * 1_000 + i));
    }
    ByteBuffer label = ByteBuffer.allocate(8).order(ByteOrder.LITTLE_ENDIAN).putLong(0, -index);
    return SampleRecord.builder()
        .tensor("pixels", DType.F32, new long[] {rows(index), 3}, pixels)
        .tensor("label", DType.I64, new long[0], label)
        .createdMillis(1)
        .build();
  }

  byte[] encoded(long index) {
    return CODEC.encode(record(index));
  }

  int rows(long index) {
    return sameShape ? 4 : (int) (index % 5);
  }

  /** Whether each sample of the batch is the one of its index. */
  void assertRight(SampleBatch batch) {
    for (int i = 0; i < batch.size(); i++) {
      assertRight(batch, i);
    }
  }

  void assertRight(SampleBatch batch, int i) {
    SampleRecord right = record(batch.index(i));
    for (String name : new String[] {"pixels", "label"}) {
      SampleRecord.Field expected = right.field(name);
      if (batch.shape() == ReadShape.RECORDS) {
        SampleRecord.Field field = batch.record(i).field(name);
        assertThat(field.shape()).isEqualTo(expected.shape());
        assertThat(field.data()).isEqualTo(expected.data());
      } else {
        SampleBatch.Field field = batch.field(name);
        assertThat(field.dtype()).isEqualTo(expected.dtype());
        assertThat(field.shape(i)).isEqualTo(expected.shape());
        assertThat(field.data(i)).isEqualTo(expected.data());
      }
    }
  }
}
