package io.trainingday.bench.path;

import java.nio.ByteBuffer;

/** Copies from a direct buffer that holds all samples. */
public final class MemcpyPath extends BufferedPath {
  private final ByteBuffer source;
  private final int sampleBytes;

  /** Loads all samples. */
  public MemcpyPath(Workload workload, Target target) {
    super(target);
    sampleBytes = workload.sampleBytes();
    source = ByteBuffer.allocateDirect(Math.toIntExact(workload.bytes()));
    for (int i = 0; i < workload.count(); i++) {
      source.put(workload.sample(i));
    }
  }

  @Override
  public void read(long[] indices) {
    for (int i = 0; i < indices.length; i++) {
      target().bytes().put(target().offset(i), source, (int) indices[i] * sampleBytes, sampleBytes);
    }
  }
}
