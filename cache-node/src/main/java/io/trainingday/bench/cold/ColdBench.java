package io.trainingday.bench.cold;

import io.trainingday.bench.client.FreePort;
import io.trainingday.bench.client.TemporaryDirectory;
import io.trainingday.bench.cold.ColdReport.Row;
import io.trainingday.client.CachedSamples;
import io.trainingday.client.DatasetSpec;
import io.trainingday.client.ReadShape;
import io.trainingday.client.SampleBatch;
import io.trainingday.client.TrainingCache;
import io.trainingday.config.DataSize;
import io.trainingday.config.SettingKey;
import io.trainingday.config.Settings;
import io.trainingday.node.CacheNode;
import io.trainingday.record.DType;
import io.trainingday.record.SampleRecord;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.locks.LockSupport;

/**
 * One epoch without a cache, then two with one: the same loader, the same batches.
 *
 * <p>The loader waits, as one does that reads from elsewhere. Without a cache, each sample is
 * copied to its place in a batch that is used again and again.
 */
final class ColdBench {
  private static final int BATCH = 32;
  private static final long SPARE_BYTES = 512L << 20;
  private static final double NANOS_PER_SECOND = 1e9;

  private final int samples;
  private final int sampleBytes;
  private final long loadNanos;

  ColdBench(int samples, int sampleBytes, long loadNanos) {
    this.samples = samples;
    this.sampleBytes = sampleBytes;
    this.loadNanos = loadNanos;
  }

  List<Row> run() {
    List<Row> rows = new ArrayList<>();
    rows.add(without());
    try (TemporaryDirectory directory = TemporaryDirectory.create();
        CacheNode node = CacheNode.launch(settings(directory.path()));
        TrainingCache cache =
            TrainingCache.connect(
                TrainingCache.Config.builder().address("unix:" + node.socket()).build());
        CachedSamples cached =
            cache.open(
                DatasetSpec.builder("cold").pipeline("cold").sourceLength(samples).build())) {
      for (int epoch = 1; epoch <= 2; epoch++) {
        rows.add(with(cached, epoch));
      }
    }
    return rows;
  }

  private Settings settings(Path directory) {
    return Settings.builder()
        .set(SettingKey.GRID_NAME, "training-day-bench-cold")
        .set(SettingKey.GRID_PORT, FreePort.find())
        .set(SettingKey.GRID_COMMUNICATION_PORT, FreePort.find())
        .set(SettingKey.LANE_SOCKET, directory.resolve("lane.sock"))
        .set(
            SettingKey.MEMORY_MAX_SIZE,
            DataSize.ofBytes(SPARE_BYTES + (long) (1.3 * samples * sampleBytes)))
        .set(SettingKey.METRICS_ENABLED, false)
        .build();
  }

  private Row without() {
    ByteBuffer batch = ByteBuffer.allocateDirect(BATCH * sampleBytes);
    long start = System.nanoTime();
    for (int first = 0; first < samples; first += BATCH) {
      for (int i = 0; i < Math.min(BATCH, samples - first); i++) {
        batch.put(i * sampleBytes, load((long) first + i).field("x").data(), 0, sampleBytes);
      }
    }
    return new Row(false, 1, seconds(start), 0);
  }

  private Row with(CachedSamples cached, int epoch) {
    long hits = 0;
    long start = System.nanoTime();
    for (int first = 0; first < samples; first += BATCH) {
      long[] indices = new long[Math.min(BATCH, samples - first)];
      for (int i = 0; i < indices.length; i++) {
        indices[i] = (long) first + i;
      }
      try (SampleBatch batch = cached.read(indices, ReadShape.COLLATED, this::load)) {
        hits += batch.hits();
      }
    }
    return new Row(true, epoch, seconds(start), hits);
  }

  private SampleRecord load(long index) {
    for (long until = System.nanoTime() + loadNanos, left = loadNanos;
        left > 0;
        left = until - System.nanoTime()) {
      LockSupport.parkNanos(left);
    }
    return SampleRecord.builder()
        .tensor(
            "x",
            DType.U8,
            new long[] {sampleBytes},
            ByteBuffer.allocate(sampleBytes).put(0, (byte) index))
        .build();
  }

  private static double seconds(long startNanos) {
    return (System.nanoTime() - startNanos) / NANOS_PER_SECOND;
  }
}
