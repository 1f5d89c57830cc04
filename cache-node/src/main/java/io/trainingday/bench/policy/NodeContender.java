package io.trainingday.bench.policy;

import io.trainingday.client.CachedSamples;
import io.trainingday.client.DatasetSpec;
import io.trainingday.client.ReadShape;
import io.trainingday.client.SampleBatch;
import io.trainingday.client.TrainingCache;
import io.trainingday.record.DType;
import io.trainingday.record.SampleRecord;
import java.nio.ByteBuffer;

/** A data set of a cache node, read as a trainer does. */
final class NodeContender implements Contender {
  /** Small, so that what was read last is known before the next samples come. */
  private static final int BATCH = 16;

  private final CachedSamples samples;
  private final int sampleBytes;

  NodeContender(TrainingCache cache, String dataset, int samples, int sampleBytes) {
    this.samples =
        cache.open(DatasetSpec.builder(dataset).pipeline("trace").sourceLength(samples).build());
    this.sampleBytes = sampleBytes;
  }

  @Override
  public long read(int[] order) {
    long hits = 0;
    for (int first = 0; first < order.length; first += BATCH) {
      long[] indices = new long[Math.min(BATCH, order.length - first)];
      for (int i = 0; i < indices.length; i++) {
        indices[i] = order[first + i];
      }
      try (SampleBatch batch = samples.read(indices, ReadShape.COLLATED, this::load)) {
        hits += batch.hits();
      }
    }
    return hits;
  }

  private SampleRecord load(long index) {
    return record(sampleBytes);
  }

  static SampleRecord record(int sampleBytes) {
    return SampleRecord.builder()
        .tensor("x", DType.U8, new long[] {sampleBytes}, ByteBuffer.allocate(sampleBytes))
        .build();
  }

  @Override
  public void close() {
    samples.close();
  }
}
