package io.trainingday.node;

import io.trainingday.client.DatasetSpec;
import io.trainingday.client.SampleBatch;
import io.trainingday.client.SampleLoader;
import io.trainingday.record.DType;
import io.trainingday.record.SampleRecord;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/** Made-up pictures whose every byte follows from the index, so that a wrong one is seen. */
final class Pictures {
  private final int bytes;

  Pictures(int bytes) {
    this.bytes = bytes;
  }

  static DatasetSpec spec(String name, long count) {
    return DatasetSpec.builder(name)
        .pipeline("pictures-1")
        .sourceLength(count)
        .sourceDigest("made up")
        .build();
  }

  SampleRecord load(long index) {
    ByteBuffer picture = ByteBuffer.allocate(bytes);
    for (int i = 0; i < bytes; i++) {
      picture.put(i, pixel(index, i));
    }
    ByteBuffer label = ByteBuffer.allocate(8).order(ByteOrder.LITTLE_ENDIAN).putLong(0, index);
    return SampleRecord.builder()
        .tensor("picture", DType.U8, new long[] {bytes}, picture)
        .tensor("label", DType.I64, new long[0], label)
        .build();
  }

  SampleLoader loader() {
    return this::load;
  }

  /** Fails unless a collated batch holds exactly the pictures of its indices. */
  void check(SampleBatch batch) {
    ByteBuffer pictures = batch.field("picture").data();
    ByteBuffer labels = batch.field("label").data();
    for (int i = 0; i < batch.size(); i++) {
      long index = batch.index(i);
      if (labels.getLong(i * 8) != index) {
        throw new AssertionError("label " + labels.getLong(i * 8) + " of sample " + index);
      }
      for (int k = 0; k < bytes; k++) {
        if (pictures.get(i * bytes + k) != pixel(index, k)) {
          throw new AssertionError("wrong byte %d of sample %d".formatted(k, index));
        }
      }
    }
  }

  private static byte pixel(long index, int i) {
    return (byte) (index * 31 + i * 7L + (i >>> 8));
  }
}
