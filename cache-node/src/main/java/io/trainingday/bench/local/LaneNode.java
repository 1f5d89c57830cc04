package io.trainingday.bench.local;

import io.trainingday.bench.client.FreePort;
import io.trainingday.bench.client.TemporaryDirectory;
import io.trainingday.bench.path.Workload;
import io.trainingday.config.DataSize;
import io.trainingday.config.SettingKey;
import io.trainingday.config.Settings;
import io.trainingday.node.CacheNode;
import java.nio.file.Path;

/** A cache node in this process: default settings, but room, ports and a socket of its own. */
final class LaneNode implements AutoCloseable {
  private final CacheNode node;
  private final TemporaryDirectory directory;

  private LaneNode(CacheNode node, TemporaryDirectory directory) {
    this.node = node;
    this.directory = directory;
  }

  static LaneNode launch(Workload workload) {
    TemporaryDirectory directory = TemporaryDirectory.create();
    Settings settings =
        Settings.builder()
            .set(SettingKey.GRID_NAME, "training-day-bench-lane")
            .set(SettingKey.GRID_PORT, FreePort.find())
            .set(SettingKey.GRID_COMMUNICATION_PORT, FreePort.find())
            .set(SettingKey.LANE_SOCKET, directory.path().resolve("lane.sock"))
            .set(SettingKey.MEMORY_MAX_SIZE, DataSize.ofBytes(memoryBytes(workload)))
            .set(SettingKey.METRICS_ENABLED, false)
            .build();
    return new LaneNode(CacheNode.launch(settings), directory);
  }

  /** The samples, 30 % for pages that are not full, the index and headroom, and 512 MiB. */
  private static long memoryBytes(Workload workload) {
    return (long) (workload.bytes() * 1.3) + (512L << 20);
  }

  Path socket() {
    return node.socket();
  }

  @Override
  public void close() {
    node.close();
    directory.close();
  }
}
