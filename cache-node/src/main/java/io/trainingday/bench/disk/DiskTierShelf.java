package io.trainingday.bench.disk;

import io.trainingday.bench.path.BenchException;
import io.trainingday.bench.path.SampleSink;
import io.trainingday.config.DataSize;
import io.trainingday.grid.SampleKey;
import io.trainingday.node.disk.DiskOptions;
import io.trainingday.node.disk.DiskStore;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;

/** A cache node's disk tier. */
final class DiskTierShelf implements Shelf {
  private static final int PARTITIONS = 1_024;

  private final DiskStore store;
  private final int sampleBytes;
  private final SampleSink sink;

  /**
   * @param bytes of all samples that will be put
   */
  DiskTierShelf(Path directory, int sampleBytes, long bytes) {
    // Twice the samples: that it fits is not what is measured.
    DataSize budget = DataSize.ofBytes(2 * bytes + DiskOptions.MIN_BUDGET.bytes());
    store =
        DiskStore.open(
            new DiskOptions(directory, budget, "bench", PARTITIONS, DiskOptions.Evictor.none()));
    this.sampleBytes = sampleBytes;
    sink = new SampleSink(sampleBytes);
  }

  private static SampleKey key(long index) {
    return new SampleKey(1, 2, 3, 0, 0, index);
  }

  @Override
  public void put(long index, byte[] sample) {
    DiskStore.WriteResult result = store.write(key(index), sample);
    if (result != DiskStore.WriteResult.STORED) {
      throw new BenchException("the disk tier refused sample %d: %s".formatted(index, result));
    }
  }

  @Override
  public void sync() {
    try {
      store.sync();
    } catch (IOException failure) {
      throw new BenchException("the disk tier failed: " + failure.getMessage(), failure);
    }
  }

  @Override
  public void read(long index, ByteBuffer target, int offset) {
    if (store.read(key(index), sink.at(target, offset)) != sampleBytes) {
      throw new BenchException("sample " + index + " is missing");
    }
  }

  @Override
  public void close() {
    store.close();
  }
}
