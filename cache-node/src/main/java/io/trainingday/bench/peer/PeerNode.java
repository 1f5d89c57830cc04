package io.trainingday.bench.peer;

import io.trainingday.bench.client.FreePort;
import io.trainingday.bench.path.BenchException;
import io.trainingday.config.DataSize;
import io.trainingday.config.SettingKey;
import io.trainingday.config.Settings;
import io.trainingday.node.CacheNode;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.concurrent.locks.LockSupport;

/** A cache node of the bench, in the process that asks for it. */
final class PeerNode implements AutoCloseable {
  private static final String LOOPBACK = "127.0.0.1";

  /** Enough for two nodes. Each costs memory on both. */
  private static final int PARTITIONS = 64;

  private static final Duration PASSED_ON = Duration.ofSeconds(30);
  private static final long LOOK_NANOS = 1_000_000;

  private final CacheNode node;
  private long readHereBefore;

  private PeerNode(CacheNode node) {
    this.node = node;
  }

  /**
   * Starts one.
   *
   * @param name of the node, its host and its socket
   * @param directory for its socket
   * @param tls between nodes, empty for none
   * @param other discovery address of the node to join, empty to found a grid
   */
  static PeerNode launch(
      String name, Path directory, Optional<Tls> tls, DataSize memory, Optional<String> other) {
    int gridPort = FreePort.find();
    List<String> grid = new ArrayList<>(other.stream().toList());
    grid.add(LOOPBACK + ":" + gridPort);
    Settings.Builder settings =
        Settings.builder()
            .set(SettingKey.GRID_NAME, "training-day-bench-peer" + (tls.isPresent() ? "-tls" : ""))
            .set(SettingKey.GRID_HOST_ID, name)
            .set(SettingKey.GRID_PORT, gridPort)
            .set(SettingKey.GRID_COMMUNICATION_PORT, FreePort.find())
            .set(SettingKey.GRID_DISCOVERY_ADDRESSES, grid)
            .set(SettingKey.GRID_PARTITIONS, PARTITIONS)
            .set(SettingKey.LANE_SOCKET, directory.resolve(name + ".sock"))
            .set(SettingKey.LANE_TCP_ENABLED, true)
            .set(SettingKey.LANE_TCP_PORT, 0)
            .set(SettingKey.LANE_MAX_RECORD_SIZE, DataSize.ofMiB(8))
            .set(SettingKey.MEMORY_MAX_SIZE, memory)
            .set(SettingKey.METRICS_ENABLED, false);
    tls.ifPresent(
        files ->
            settings
                .set(SettingKey.LANE_TLS_ENABLED, true)
                .set(SettingKey.LANE_TLS_CERTIFICATE, files.certificate())
                .set(SettingKey.LANE_TLS_KEY, files.key())
                .set(SettingKey.LANE_TLS_TRUST, files.certificate()));
    return new PeerNode(CacheNode.launch(settings.build()));
  }

  /** Where others join it. */
  String discoveryAddress() {
    return LOOPBACK + ":" + node.settings().grid().port();
  }

  /** Where a trainer attaches. */
  String address() {
    return "unix:" + node.socket();
  }

  /** Waits until what trainers loaded is at the other node: until then this one serves it. */
  void awaitPassedOn() {
    long deadline = System.nanoTime() + PASSED_ON.toNanos();
    while (node.stats().fills().inFlightBytes() > 0) {
      if (System.nanoTime() - deadline > 0) {
        throw new BenchException(
            "the other node does not take all samples within %d s"
                .formatted(PASSED_ON.toSeconds()));
      }
      LockSupport.parkNanos(LOOK_NANOS);
    }
    readHereBefore = readHere();
  }

  private long readHere() {
    return node.stats().datasets().stream()
        .mapToLong(dataset -> dataset.local().hits() + dataset.local().misses())
        .sum();
  }

  /**
   * Proves that trainers got all samples from the other node since {@link #awaitPassedOn}.
   *
   * @throws BenchException if some came from here
   */
  void requireAllRemote() {
    long here = readHere() - readHereBefore;
    if (here > 0) {
      throw new BenchException(
          String.format(Locale.ROOT, "%,d samples were read from the trainer's own node", here));
    }
  }

  @Override
  public void close() {
    node.close();
  }
}
