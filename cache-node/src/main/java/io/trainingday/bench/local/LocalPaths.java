package io.trainingday.bench.local;

import io.trainingday.bench.client.LanePath;
import io.trainingday.bench.client.RedisPath;
import io.trainingday.bench.measure.OpenPaths;
import io.trainingday.bench.path.BufferedPath.Target;
import io.trainingday.bench.path.MemcpyPath;
import io.trainingday.bench.path.ReadPath;
import io.trainingday.bench.path.Workload;
import io.trainingday.client.ReadShape;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;

/**
 * Opens the paths of {@code bench local}, and starts what they need when the first one needs it.
 */
final class LocalPaths {
  private final Workload workload;
  private final Target target;
  private final Optional<Path> socket;
  private final OpenPaths open = new OpenPaths();
  private Optional<BenchGrid> grid = Optional.empty();
  private Optional<String> lane = Optional.empty();

  private LocalPaths(Workload workload, Target target, Optional<Path> socket) {
    this.workload = workload;
    this.target = target;
    this.socket = socket;
  }

  /**
   * Opens them all, loaded.
   *
   * @param socket of a node that runs already; empty to start one in this process
   */
  static OpenPaths open(
      List<PathKind> kinds, Workload workload, int maxBatch, Optional<Path> socket) {
    LocalPaths paths =
        new LocalPaths(workload, new Target(workload.sampleBytes(), maxBatch), socket);
    try {
      for (PathKind kind : kinds) {
        paths.open.add(kind.toString(), paths.path(kind));
      }
      return paths.open;
    } catch (RuntimeException failure) {
      paths.open.close();
      throw failure;
    }
  }

  private ReadPath path(PathKind kind) {
    return switch (kind) {
      case MEMCPY -> new MemcpyPath(workload, target);
      case HEAP_MAP -> new HeapMapPath(workload, target);
      case LANE_COLLATED -> new LanePath(lane(), workload, ReadShape.COLLATED);
      case LANE_RECORDS -> new LanePath(lane(), workload, ReadShape.RECORDS);
      case PAGE_READER -> grid().pageReader(target);
      case PUBLIC_READER -> grid().publicReader(target);
      case IGNITE_GET_ALL -> grid().getAll(target);
      case THIN_GET_ALL -> grid().thinGetAll(target);
      case REDIS_MGET -> RedisPath.start(workload, target);
    };
  }

  private BenchGrid grid() {
    if (grid.isEmpty()) {
      grid = Optional.of(open.closing(BenchGrid.start(workload)));
    }
    return grid.get();
  }

  private String lane() {
    if (lane.isEmpty()) {
      lane =
          Optional.of(
              "unix:" + socket.orElseGet(() -> open.closing(LaneNode.launch(workload)).socket()));
    }
    return lane.get();
  }
}
