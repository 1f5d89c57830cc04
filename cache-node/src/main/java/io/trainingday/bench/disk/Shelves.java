package io.trainingday.bench.disk;

import io.trainingday.bench.measure.OpenPaths;
import io.trainingday.bench.path.BenchException;
import io.trainingday.bench.path.BufferedPath.Target;
import io.trainingday.bench.path.MemcpyPath;
import io.trainingday.bench.path.Workload;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.List;
import java.util.stream.Stream;

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
            Place place = open.closing(place());
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

  Place place() {
    try {
      return new Place(Files.createTempDirectory(parent, "training-day-bench-disk"));
    } catch (IOException failure) {
      throw new BenchException("no directory in %s: %s".formatted(parent, failure), failure);
    }
  }

  /** An empty one. */
  Shelf shelf(PathKind kind, Place place, Workload workload) {
    Path directory = place.directory();
    return switch (kind) {
      case RAW_WRITE, RAW_READ -> new FileShelf(directory, workload.sampleBytes());
      case DISK_FILL, DISK_READ ->
          new DiskTierShelf(directory, workload.sampleBytes(), workload.bytes());
      case IGNITE_PUT, IGNITE_GET -> new IgniteShelf(directory, workload.bytes());
      case LMDB_PUT, LMDB_GET -> new LmdbShelf(directory, workload.bytes());
      case MEMCPY -> throw new IllegalArgumentException(kind + " keeps nothing");
    };
  }

  /** A directory that is deleted with everything in it. */
  record Place(Path directory) implements AutoCloseable {
    @Override
    public void close() {
      try (Stream<Path> files = Files.walk(directory)) {
        List<Path> deepestFirst = files.sorted(Comparator.reverseOrder()).toList();
        for (Path file : deepestFirst) {
          Files.delete(file);
        }
      } catch (IOException | UncheckedIOException failure) {
        throw new BenchException("%s stays behind: %s".formatted(directory, failure), failure);
      }
    }
  }
}
