package io.trainingday.bench.local;

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
import io.trainingday.grid.SampleKey;
import io.trainingday.node.store.RecordStore;
import io.trainingday.node.store.RecordStores;
import java.util.Arrays;
import java.util.Optional;
import org.apache.ignite.Ignite;
import org.apache.ignite.IgniteCache;
import org.apache.ignite.Ignition;
import org.apache.ignite.cache.CacheAtomicityMode;
import org.apache.ignite.client.ClientCache;
import org.apache.ignite.client.IgniteClient;
import org.apache.ignite.configuration.CacheConfiguration;
import org.apache.ignite.configuration.ClientConfiguration;
import org.apache.ignite.configuration.ClientConnectorConfiguration;
import org.apache.ignite.configuration.IgniteConfiguration;

/**
 * An Ignite node of the bench's own, configured as a cache node's but with the thin client's port
 * open on loopback. It holds the samples twice: under the node's keys, and under plain longs as
 * somebody without us would.
 */
final class BenchGrid implements AutoCloseable {
  private static final String LOOPBACK = "127.0.0.1";
  private static final String PLAIN = "plain";

  private final Ignite ignite;
  private final int thinPort;
  private final Workload workload;
  private boolean samplesLoaded;
  private boolean plainLoaded;

  private BenchGrid(Ignite ignite, int thinPort, Workload workload) {
    this.ignite = ignite;
    this.thinPort = thinPort;
    this.workload = workload;
  }

  static BenchGrid start(Workload workload) {
    Settings settings =
        Settings.builder()
            .set(SettingKey.GRID_NAME, "training-day-bench")
            .set(SettingKey.GRID_PORT, FreePort.find())
            .set(SettingKey.GRID_COMMUNICATION_PORT, FreePort.find())
            .set(SettingKey.MEMORY_MAX_SIZE, DataSize.ofBytes(regionBytes(workload)))
            .build();
    int thinPort = FreePort.find();
    IgniteConfiguration configuration =
        IgniteConfigurations.create(settings, GridListener.NONE, Optional.empty())
            .setClientConnectorConfiguration(
                new ClientConnectorConfiguration()
                    .setHost(LOOPBACK)
                    .setPort(thinPort)
                    .setPortRange(0));
    CacheConfiguration<?, ?>[] caches = configuration.getCacheConfiguration();
    CacheConfiguration<?, ?>[] all = Arrays.copyOf(caches, caches.length + 1);
    all[caches.length] =
        new CacheConfiguration<Long, byte[]>(PLAIN)
            .setDataRegionName(GridCaches.SAMPLES_REGION)
            .setAtomicityMode(CacheAtomicityMode.ATOMIC);
    return new BenchGrid(
        Ignition.start(configuration.setCacheConfiguration(all)), thinPort, workload);
  }

  /**
   * Twice the samples, 30 % for pages that are not full and for the index, and 512 MiB, taken as
   * used.
   */
  private static long regionBytes(Workload workload) {
    return (long) (workload.bytes() * 2.6) + (512L << 20);
  }

  ReadPath pageReader(Target target) {
    return storePath(RecordStores.withPageReader(ignite).of(0), target);
  }

  ReadPath publicReader(Target target) {
    return storePath(RecordStores.withPublicReader(ignite).of(0), target);
  }

  private ReadPath storePath(RecordStore store, Target target) {
    if (!samplesLoaded) {
      IgniteCache<SampleKey, byte[]> cache = ignite.cache(GridCaches.samples(0));
      for (long i = 0; i < workload.count(); i++) {
        cache.put(StorePath.key(i), workload.sample(i));
      }
      samplesLoaded = true;
    }
    return new StorePath(store, workload, target);
  }

  ReadPath getAll(Target target) {
    IgniteCache<Long, byte[]> cache = plain();
    return new GetAllPath(target, cache::get, cache::getAll, () -> {});
  }

  ReadPath thinGetAll(Target target) {
    plain();
    IgniteClient client =
        Ignition.startClient(new ClientConfiguration().setAddresses(LOOPBACK + ":" + thinPort));
    ClientCache<Long, byte[]> cache = client.cache(PLAIN);
    return new GetAllPath(target, cache::get, cache::getAll, client::close);
  }

  private IgniteCache<Long, byte[]> plain() {
    IgniteCache<Long, byte[]> cache = ignite.cache(PLAIN);
    if (!plainLoaded) {
      for (long i = 0; i < workload.count(); i++) {
        cache.put(i, workload.sample(i));
      }
      plainLoaded = true;
    }
    return cache;
  }

  @Override
  public void close() {
    Ignition.stop(ignite.name(), true);
  }
}
