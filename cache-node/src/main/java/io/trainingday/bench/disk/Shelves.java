package io.trainingday.bench.disk;

import io.trainingday.bench.client.TemporaryDirectory;
import io.trainingday.bench.measure.OpenPaths;
import io.trainingday.bench.path.BufferedPath.Target;
import io.trainingday.bench.path.MemcpyPath;
import io.trainingday.bench.path.Workload;
import java.nio.file.Path;
import java.util.List;

/** Opens shelves, each in a directory of its own that goes when it is closed. */
final class Shelves {
  private final Path parent;

  /**
   * @param parent of all directories
   */
  Shelves(Path parent) {
    this.parent = parent;
  }

  /** All paths that read, loaded. */
  OpenPaths open(List<PathKind> kinds, Workload workload, int maxBatch) {
    Target target = new Target(workload.sampleBytes(), maxBatch);
    OpenPaths open = new OpenPaths();
    try {
      for (PathKind kind : kinds) {
        switch (kind.verb()) {
          case COPIES -> open.add(kind.toString(), new MemcpyPath(workload, target));
          case READS -> {
            TemporaryDirectory place = open.closing(place());
            open.add(
                kind.toString(), new ShelfPath(shelf(kind, place, workload), workload, target));
          }
          case FILLS -> {}
        }
      }
      return open;
    } catch (RuntimeException failure) {
      open.close();
      throw failure;
    }
  }

  TemporaryDirectory place() {
    return TemporaryDirectory.in(parent);
  }

  /** An empty one. */
  Shelf shelf(PathKind kind, TemporaryDirectory place, Workload workload) {
    Path directory = place.path();
    return switch (kind) {
      case RAW_WRITE, RAW_READ -> new FileShelf(directory, workload.sampleBytes());
      case DISK_FILL, DISK_READ ->
          new DiskTierShelf(directory, workload.sampleBytes(), workload.bytes());
      case IGNITE_PUT, IGNITE_GET -> new IgniteShelf(directory, workload.bytes());
      case LMDB_PUT, LMDB_GET -> new LmdbShelf(directory, workload.bytes());
      case MEMCPY -> throw new IllegalArgumentException(kind + " keeps nothing");
    };
  }
}
