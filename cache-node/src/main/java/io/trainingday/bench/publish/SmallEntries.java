package io.trainingday.bench.publish;

import io.trainingday.bench.path.BenchException;
import io.trainingday.client.CachedSamples;
import io.trainingday.client.DatasetSpec;
import io.trainingday.client.ReadShape;
import io.trainingday.client.SampleBatch;
import io.trainingday.client.TrainingCache;
import io.trainingday.record.DType;
import io.trainingday.record.SampleRecord;
import java.nio.ByteBuffer;
import java.util.Locale;
import java.util.stream.LongStream;

/** Fills data sets with records of one number each. */
final class SmallEntries {
  private static final int BATCH = 16_384;
  private static final int PASSES = 20;

  private SmallEntries() {}

  /**
   * Fills a data set through a node until it has all of it.
   *
   * @param address of the node
   * @return the data set's name
   * @throws BenchException if it does not keep all
   */
  static String fill(String address, int entries) {
    String name = "training-day-bench-publish-" + entries;
    try (TrainingCache cache =
            TrainingCache.connect(TrainingCache.Config.builder().address(address).build());
        CachedSamples samples =
            cache.open(
                DatasetSpec.builder(name).pipeline("numbers").sourceLength(entries).build())) {
      long missing = 0;
      for (int pass = 0; pass < PASSES; pass++) {
        missing = 0;
        for (long first = 0; first < entries; first += BATCH) {
          long[] indices = LongStream.range(first, Math.min(first + BATCH, entries)).toArray();
          try (SampleBatch batch = samples.read(indices, ReadShape.RECORDS, SmallEntries::record)) {
            missing += batch.originLoads();
          }
        }
        if (missing == 0) {
          return name;
        }
      }
      throw new BenchException(
          String.format(
              Locale.ROOT,
              "the grid does not keep %,d of %,d entries; give it more memory",
              missing,
              entries));
    }
  }

  private static SampleRecord record(long index) {
    return SampleRecord.builder()
        .tensor("n", DType.I64, new long[0], ByteBuffer.allocate(Long.BYTES).putLong(0, index))
        .build();
  }
}
