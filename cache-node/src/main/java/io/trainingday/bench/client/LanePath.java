package io.trainingday.bench.client;

import io.trainingday.bench.path.BenchException;
import io.trainingday.bench.path.ReadPath;
import io.trainingday.bench.path.Workload;
import io.trainingday.client.CachedSamples;
import io.trainingday.client.DatasetSpec;
import io.trainingday.client.ReadShape;
import io.trainingday.client.SampleBatch;
import io.trainingday.client.TrainingCache;
import io.trainingday.record.DType;
import io.trainingday.record.SampleRecord;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.Locale;
import java.util.stream.LongStream;
import org.jspecify.annotations.Nullable;

/**
 * Reads as a trainer does: one connection, one batch at a time, each given back when the next one
 * is asked for.
 */
public final class LanePath implements ReadPath {
  private static final String FIELD = "data";
  private static final int FILL_BATCH = 64;
  private static final int FILL_PASSES = 20;

  private final TrainingCache cache;
  private final CachedSamples samples;
  private final long[] places;
  private final ReadShape shape;
  private @Nullable SampleBatch batch;

  /**
   * Loads a data set whose samples are those of the workload, in its order.
   *
   * @param address of the node, {@code unix:PATH}
   */
  public LanePath(String address, Workload workload, ReadShape shape) {
    this(address, workload, LongStream.range(0, workload.count()).toArray(), shape);
  }

  /**
   * Loads a data set in which the samples of the workload have indices of their own.
   *
   * @param places the index in the data set, for every sample of the workload; ascending
   */
  public LanePath(String address, Workload workload, long[] places, ReadShape shape) {
    this.places = places.clone();
    this.shape = shape;
    this.cache = TrainingCache.connect(TrainingCache.Config.builder().address(address).build());
    if (!cache.isAttached()) {
      cache.close();
      throw new BenchException("no cache node answers at " + address);
    }
    this.samples =
        cache.open(
            DatasetSpec.builder("training-day-bench-" + workload.sampleBytes())
                .pipeline("random bytes")
                .sourceLength(1 + LongStream.of(places).max().orElseThrow())
                .build());
    fill(workload);
  }

  /** Loads what the node does not have, and again what it dropped, until it has all. */
  private void fill(Workload workload) {
    long missing = 0;
    for (int pass = 0; pass < FILL_PASSES; pass++) {
      missing = 0;
      for (int first = 0; first < places.length; first += FILL_BATCH) {
        long[] indices =
            Arrays.copyOfRange(places, first, Math.min(first + FILL_BATCH, places.length));
        try (SampleBatch read =
            samples.read(
                indices,
                ReadShape.RECORDS,
                place -> record(workload, Arrays.binarySearch(places, place)))) {
          missing += read.originLoads();
        }
      }
      if (missing == 0) {
        return;
      }
    }
    throw new BenchException(
        String.format(
            Locale.ROOT,
            "the node does not keep %,d of %,d samples of %,d bytes; give it more memory.maxSize",
            missing,
            workload.count(),
            workload.sampleBytes()));
  }

  private static SampleRecord record(Workload workload, long index) {
    return SampleRecord.builder()
        .tensor(
            FIELD,
            DType.U8,
            new long[] {workload.sampleBytes()},
            ByteBuffer.wrap(workload.sample(index)))
        .build();
  }

  @Override
  public void read(long[] indices) {
    if (batch != null) {
      batch.close();
    }
    long[] there = new long[indices.length];
    for (int i = 0; i < there.length; i++) {
      there[i] = places[(int) indices[i]];
    }
    batch = samples.read(there, shape);
    if (batch.missing() > 0) {
      throw new BenchException(batch.missing() + " samples of a batch are missing");
    }
  }

  @Override
  public ByteBuffer sample(int i) {
    if (batch == null) {
      throw new IllegalStateException("nothing was read");
    }
    return shape == ReadShape.COLLATED
        ? batch.field(FIELD).data(i)
        : batch.record(i).field(FIELD).data();
  }

  @Override
  public long inlineBatches() {
    return samples.stats().inlineBatches();
  }

  @Override
  public void close() {
    if (batch != null) {
      batch.close();
    }
    samples.close();
    cache.close();
  }
}
