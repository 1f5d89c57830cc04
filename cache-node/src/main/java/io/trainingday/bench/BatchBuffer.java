package io.trainingday.bench;

import java.nio.ByteBuffer;

/** The reused direct buffer that batches are copied to, sample behind sample. */
final class BatchBuffer {
  private final ByteBuffer bytes;
  private final int sampleBytes;

  BatchBuffer(int sampleBytes, int maxBatch) {
    this.bytes = ByteBuffer.allocateDirect(Math.multiplyExact(sampleBytes, maxBatch));
    this.sampleBytes = sampleBytes;
  }

  ByteBuffer bytes() {
    return bytes;
  }

  int offset(int i) {
    return i * sampleBytes;
  }

  void put(int i, byte[] sample) {
    bytes.put(offset(i), sample);
  }

  ByteBuffer sample(int i) {
    return bytes.slice(offset(i), sampleBytes);
  }
}
