package io.trainingday.bench;

import io.trainingday.client.ReadShape;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** All paths to one workload, loaded; closing ends them and what was started for them. */
final class OpenPaths implements AutoCloseable {
  private final Workload workload;
  private final BatchBuffer target;
  private final Optional<Path> socket;
  private final Map<PathKind, ReadPath> paths = new EnumMap<>(PathKind.class);
  private final Deque<AutoCloseable> closing = new ArrayDeque<>();
  private Optional<BenchGrid> grid = Optional.empty();
  private Optional<String> lane = Optional.empty();

  private OpenPaths(Workload workload, BatchBuffer target, Optional<Path> socket) {
    this.workload = workload;
    this.target = target;
    this.socket = socket;
  }

  /**
   * @param socket of a node that runs already; empty to start one in this process
   */
  static OpenPaths open(
      List<PathKind> kinds, Workload workload, int maxBatch, Optional<Path> socket) {
    OpenPaths open =
        new OpenPaths(workload, new BatchBuffer(workload.sampleBytes(), maxBatch), socket);
    try {
      for (PathKind kind : kinds) {
        open.add(kind);
      }
      return open;
    } catch (RuntimeException failure) {
      open.close();
      throw failure;
    }
  }

  Map<PathKind, ReadPath> paths() {
    return paths;
  }

  private void add(PathKind kind) {
    ReadPath path =
        switch (kind) {
          case MEMCPY -> new MemcpyPath(workload, target);
          case HEAP_MAP -> new HeapMapPath(workload, target);
          case LANE_COLLATED -> new LanePath(lane(), workload, ReadShape.COLLATED);
          case LANE_RECORDS -> new LanePath(lane(), workload, ReadShape.RECORDS);
          case PAGE_READER -> grid().pageReader(target);
          case PUBLIC_READER -> grid().publicReader(target);
          case IGNITE_GET_ALL -> grid().getAll(target);
          case THIN_GET_ALL -> grid().thinGetAll(target);
          case REDIS_MGET ->
              new RedisPath(
                  RedisServer.start(RedisServer.executable().orElseThrow()), workload, target);
        };
    closing.push(path);
    paths.put(kind, path);
  }

  private BenchGrid grid() {
    if (grid.isEmpty()) {
      BenchGrid started = BenchGrid.start(workload);
      closing.push(started);
      grid = Optional.of(started);
    }
    return grid.get();
  }

  private String lane() {
    if (lane.isEmpty()) {
      lane = Optional.of("unix:" + socket.orElseGet(this::launchNode));
    }
    return lane.get();
  }

  private Path launchNode() {
    LaneNode node = LaneNode.launch(workload);
    closing.push(node);
    return node.socket();
  }

  @Override
  public void close() {
    RuntimeException first = null;
    while (!closing.isEmpty()) {
      try {
        closing.pop().close();
      } catch (Exception failure) {
        if (first == null) {
          first = new BenchException("could not stop a path: " + failure.getMessage(), failure);
        } else {
          first.addSuppressed(failure);
        }
      }
    }
    if (first != null) {
      throw first;
    }
  }
}
