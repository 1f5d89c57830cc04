package io.trainingday.bench.local;

import io.trainingday.bench.path.BenchException;
import io.trainingday.bench.path.BufferedPath;
import io.trainingday.bench.path.Workload;
import io.trainingday.grid.SampleKey;
import io.trainingday.node.store.NativeMemory;
import io.trainingday.node.store.RecordSink;
import io.trainingday.node.store.RecordStore;

/** Reads through one of the node's readers, without a lane. */
final class StorePath extends BufferedPath {
  private final RecordStore store;
  private final int sampleBytes;
  private final Sink sink;

  StorePath(RecordStore store, Workload workload, Target target) {
    super(target);
    this.store = store;
    this.sampleBytes = workload.sampleBytes();
    this.sink = new Sink(NativeMemory.address(target.bytes()), sampleBytes);
  }

  static SampleKey key(long index) {
    return new SampleKey(1, 2, 3, 0, 0, index);
  }

  @Override
  public void read(long[] indices) {
    for (int i = 0; i < indices.length; i++) {
      sink.next = sink.start + target().offset(i);
      if (store.read(key(indices[i]), sink) != sampleBytes) {
        throw new BenchException("sample " + indices[i] + " is missing");
      }
    }
  }

  @Override
  public void close() {
    store.drain();
  }

  private static final class Sink implements RecordSink {
    private final long start;
    private final int sampleBytes;
    private long next;

    Sink(long start, int sampleBytes) {
      this.start = start;
      this.sampleBytes = sampleBytes;
    }

    @Override
    public boolean begin(int recordLength) {
      return recordLength == sampleBytes;
    }

    @Override
    public void copy(long address, int length) {
      NativeMemory.copy(address, next, length);
      next += length;
    }

    @Override
    public void copy(byte[] bytes, int offset, int length) {
      NativeMemory.copy(bytes, offset, next, length);
      next += length;
    }
  }
}
