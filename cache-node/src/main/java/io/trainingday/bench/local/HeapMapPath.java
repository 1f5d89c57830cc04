package io.trainingday.bench.local;

import io.trainingday.bench.path.BufferedPath;
import io.trainingday.bench.path.Workload;
import java.util.HashMap;
import java.util.Map;

/** Copies from arrays in a map on the heap. */
final class HeapMapPath extends BufferedPath {
  private final Map<Long, byte[]> samples = new HashMap<>();

  HeapMapPath(Workload workload, Target target) {
    super(target);
    for (long i = 0; i < workload.count(); i++) {
      samples.put(i, workload.sample(i));
    }
  }

  @Override
  public void read(long[] indices) {
    for (int i = 0; i < indices.length; i++) {
      put(i, indices[i], samples.get(indices[i]));
    }
  }
}
