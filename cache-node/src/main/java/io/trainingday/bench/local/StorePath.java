package io.trainingday.bench.local;

import io.trainingday.bench.path.BenchException;
import io.trainingday.bench.path.BufferedPath;
import io.trainingday.bench.path.SampleSink;
import io.trainingday.bench.path.Workload;
import io.trainingday.grid.SampleKey;
import io.trainingday.node.store.RecordSink;
import io.trainingday.node.store.RecordStore;

/** Reads through one of the node's readers, without a lane. */
final class StorePath extends BufferedPath {
  private final RecordStore store;
  private final int sampleBytes;
  private final SampleSink sink;

  StorePath(RecordStore store, Workload workload, Target target) {
    super(target);
    this.store = store;
    this.sampleBytes = workload.sampleBytes();
    this.sink = new SampleSink(sampleBytes);
  }

  static SampleKey key(long index) {
    return new SampleKey(1, 2, 3, 0, 0, index);
  }

  @Override
  public void read(long[] indices) {
    for (int i = 0; i < indices.length; i++) {
      RecordSink place = sink.at(target().bytes(), target().offset(i));
      if (store.read(key(indices[i]), place) != sampleBytes) {
        throw new BenchException("sample " + indices[i] + " is missing");
      }
    }
  }

  @Override
  public void close() {
    store.drain();
  }
}
