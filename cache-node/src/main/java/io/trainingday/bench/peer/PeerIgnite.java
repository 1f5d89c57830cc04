package io.trainingday.bench.peer;

import io.trainingday.bench.client.FreePort;
import io.trainingday.bench.client.GetAllPath;
import io.trainingday.bench.path.BufferedPath.Target;
import io.trainingday.bench.path.ReadPath;
import io.trainingday.bench.path.Workload;
import io.trainingday.config.DataSize;
import io.trainingday.config.SettingKey;
import io.trainingday.config.Settings;
import io.trainingday.grid.GridCaches;
import io.trainingday.grid.GridListener;
import io.trainingday.grid.IgniteConfigurations;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.apache.ignite.Ignite;
import org.apache.ignite.IgniteCache;
import org.apache.ignite.Ignition;
import org.apache.ignite.cache.CacheAtomicityMode;
import org.apache.ignite.configuration.CacheConfiguration;
import org.apache.ignite.configuration.IgniteConfiguration;
import org.apache.ignite.util.AttributeNodeFilter;

/**
 * An Ignite server node of the bench, configured as a cache node's, with caches of others alone.
 */
final class PeerIgnite implements AutoCloseable {
  private static final String LOOPBACK = "127.0.0.1";
  private static final String HOLDS_SAMPLES = "training-day-bench.holds-samples";
  private static final int FEW_PARTITIONS = 32;

  private final Ignite ignite;
  private final int gridPort;

  private PeerIgnite(Ignite ignite, int gridPort) {
    this.ignite = ignite;
    this.gridPort = gridPort;
  }

  /**
   * Starts one.
   *
   * @param holdsSamples whether it holds the caches' entries
   * @param other discovery address of the node to join, empty to found a grid
   */
  static PeerIgnite start(boolean holdsSamples, DataSize memory, Optional<String> other) {
    int gridPort = FreePort.find();
    List<String> grid = new ArrayList<>(other.stream().toList());
    grid.add(LOOPBACK + ":" + gridPort);
    Settings settings =
        Settings.builder()
            .set(SettingKey.GRID_NAME, "training-day-bench-ignite")
            .set(SettingKey.GRID_PORT, gridPort)
            .set(SettingKey.GRID_COMMUNICATION_PORT, FreePort.find())
            .set(SettingKey.GRID_DISCOVERY_ADDRESSES, grid)
            // A grid of several nodes is asked to have a lane; this one has none to open.
            .set(SettingKey.LANE_TCP_ENABLED, true)
            .set(SettingKey.GRID_PARTITIONS, FEW_PARTITIONS)
            .set(SettingKey.LANE_MAX_RECORD_SIZE, DataSize.ofMiB(8))
            .set(SettingKey.MEMORY_MAX_SIZE, memory)
            .build();
    IgniteConfiguration configuration =
        IgniteConfigurations.create(settings, GridListener.NONE, Optional.empty());
    Map<String, Object> attributes = new HashMap<>(configuration.getUserAttributes());
    attributes.put(HOLDS_SAMPLES, holdsSamples);
    return new PeerIgnite(Ignition.start(configuration.setUserAttributes(attributes)), gridPort);
  }

  /** Where others join it. */
  String discoveryAddress() {
    return LOOPBACK + ":" + gridPort;
  }

  /** Loads a cache of the nodes that hold samples, which goes with the path. */
  ReadPath getAll(Workload workload, Target target) {
    IgniteCache<Long, byte[]> cache =
        ignite.createCache(
            new CacheConfiguration<Long, byte[]>("plain-" + workload.sampleBytes())
                .setDataRegionName(GridCaches.SAMPLES_REGION)
                .setAtomicityMode(CacheAtomicityMode.ATOMIC)
                .setNodeFilter(new AttributeNodeFilter(HOLDS_SAMPLES, true)));
    for (long i = 0; i < workload.count(); i++) {
      cache.put(i, workload.sample(i));
    }
    return new GetAllPath(target, cache::get, cache::getAll, cache::destroy);
  }

  @Override
  public void close() {
    Ignition.stop(ignite.name(), true);
  }
}
