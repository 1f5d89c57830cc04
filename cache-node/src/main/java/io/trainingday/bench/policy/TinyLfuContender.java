package io.trainingday.bench.policy;

import com.github.benmanes.caffeine.cache.Cache;
import com.github.benmanes.caffeine.cache.Caffeine;

/** Caffeine's W-TinyLFU in this process, of so many samples. */
final class TinyLfuContender implements Contender {
  private final Cache<Integer, Integer> cache;

  TinyLfuContender(int held) {
    // On the reading thread, so that nothing depends on when another one runs.
    cache = Caffeine.newBuilder().maximumSize(held).executor(Runnable::run).build();
  }

  @Override
  public long read(int[] samples) {
    long hits = 0;
    for (int sample : samples) {
      if (cache.getIfPresent(sample) != null) {
        hits++;
      } else {
        cache.put(sample, sample);
      }
    }
    return hits;
  }

  @Override
  public void close() {
    cache.invalidateAll();
  }
}
