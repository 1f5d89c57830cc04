package io.trainingday.bench.disk;

import io.trainingday.bench.client.FreePort;
import io.trainingday.bench.path.BenchException;
import io.trainingday.config.SettingKey;
import io.trainingday.config.Settings;
import io.trainingday.grid.GridListener;
import io.trainingday.grid.IgniteConfigurations;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.Optional;
import org.apache.ignite.Ignite;
import org.apache.ignite.IgniteCache;
import org.apache.ignite.Ignition;
import org.apache.ignite.cache.CacheAtomicityMode;
import org.apache.ignite.cluster.ClusterState;
import org.apache.ignite.configuration.CacheConfiguration;
import org.apache.ignite.configuration.DataRegionConfiguration;
import org.apache.ignite.configuration.DataStorageConfiguration;
import org.apache.ignite.configuration.IgniteConfiguration;
import org.apache.ignite.configuration.WALMode;

/** An Ignite node with native persistence: one cache, 16 KiB pages, log mode LOG_ONLY. */
final class IgniteShelf implements Shelf {
  private static final String CACHE = "samples";
  private static final int PAGE_BYTES = 16 << 10;
  private static final long OTHER_BYTES = 512L << 20;

  private final Ignite ignite;
  private boolean active = true;

  /**
   * @param bytes of all samples that will be put
   */
  IgniteShelf(Path directory, long bytes) {
    Settings settings =
        Settings.builder()
            .set(SettingKey.GRID_NAME, "training-day-bench-disk")
            .set(SettingKey.GRID_PORT, FreePort.find())
            .set(SettingKey.GRID_COMMUNICATION_PORT, FreePort.find())
            .build();
    DataRegionConfiguration region =
        new DataRegionConfiguration()
            .setName("persistent")
            .setPersistenceEnabled(true)
            // Room for all of it in memory too, as the OS cache has for the others.
            .setMaxSize((long) (bytes * 1.3) + OTHER_BYTES);
    IgniteConfiguration configuration =
        IgniteConfigurations.create(settings, GridListener.NONE, Optional.empty())
            .setWorkDirectory(directory.toAbsolutePath().toString())
            .setConsistentId("bench")
            .setDataStorageConfiguration(
                new DataStorageConfiguration()
                    .setPageSize(PAGE_BYTES)
                    .setWalMode(WALMode.LOG_ONLY)
                    .setDefaultDataRegionConfiguration(region))
            .setCacheConfiguration(
                new CacheConfiguration<Long, byte[]>(CACHE)
                    .setAtomicityMode(CacheAtomicityMode.ATOMIC));
    ignite = Ignition.start(configuration);
    ignite.cluster().state(ClusterState.ACTIVE);
  }

  private IgniteCache<Long, byte[]> cache() {
    return ignite.cache(CACHE);
  }

  @Override
  public void put(long index, byte[] sample) {
    cache().put(index, sample);
  }

  /** Deactivating is what makes all pages reach their files. */
  @Override
  public void sync() {
    ignite.cluster().state(ClusterState.INACTIVE);
    active = false;
  }

  @Override
  public void read(long index, ByteBuffer target, int offset) {
    if (!active) {
      ignite.cluster().state(ClusterState.ACTIVE);
      active = true;
    }
    byte[] sample = cache().get(index);
    if (sample == null) {
      throw new BenchException("sample " + index + " is missing");
    }
    target.put(offset, sample);
  }

  @Override
  public void close() {
    Ignition.stop(ignite.name(), true);
  }
}
