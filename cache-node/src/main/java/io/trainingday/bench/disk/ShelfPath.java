package io.trainingday.bench.disk;

import io.trainingday.bench.path.BufferedPath;
import io.trainingday.bench.path.Workload;

/** Reads from a shelf that all samples were put on. */
final class ShelfPath extends BufferedPath {
  private final Shelf shelf;

  ShelfPath(Shelf shelf, Workload workload, Target target) {
    super(target);
    this.shelf = shelf;
    for (long i = 0; i < workload.count(); i++) {
      shelf.put(i, workload.sample(i));
    }
    shelf.sync();
  }

  @Override
  public void read(long[] indices) {
    for (int i = 0; i < indices.length; i++) {
      shelf.read(indices[i], target().bytes(), target().offset(i));
    }
  }

  @Override
  public void close() {
    shelf.close();
  }
}
