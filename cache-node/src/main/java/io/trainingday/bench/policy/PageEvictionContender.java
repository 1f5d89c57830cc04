package io.trainingday.bench.policy;

import io.trainingday.bench.client.FreePort;
import io.trainingday.bench.client.TemporaryDirectory;
import java.util.List;
import org.apache.ignite.Ignite;
import org.apache.ignite.IgniteCache;
import org.apache.ignite.Ignition;
import org.apache.ignite.cache.affinity.rendezvous.RendezvousAffinityFunction;
import org.apache.ignite.configuration.CacheConfiguration;
import org.apache.ignite.configuration.DataPageEvictionMode;
import org.apache.ignite.configuration.DataRegionConfiguration;
import org.apache.ignite.configuration.DataStorageConfiguration;
import org.apache.ignite.configuration.IgniteConfiguration;
import org.apache.ignite.logger.NullLogger;
import org.apache.ignite.spi.communication.tcp.TcpCommunicationSpi;
import org.apache.ignite.spi.discovery.tcp.TcpDiscoverySpi;
import org.apache.ignite.spi.discovery.tcp.ipfinder.vm.TcpDiscoveryVmIpFinder;

/**
 * A bare Ignite node in this process whose data region evicts pages by RANDOM_2_LRU. A sample fills
 * one page, and the region has a page for each that is to be held; Ignite begins to evict at nine
 * tenths.
 */
final class PageEvictionContender implements Contender {
  static final int PAGE_BYTES = 16 << 10;

  /** What a page holds beside the row's own overhead. */
  private static final int SAMPLE_BYTES = 16_000;

  private static final int PARTITIONS = 32;

  /** Trees and lists of the partitions. */
  private static final long FIXED_BYTES = 4L << 20;

  private final TemporaryDirectory directory = TemporaryDirectory.create();
  private final Ignite ignite;
  private final IgniteCache<Integer, byte[]> cache;

  PageEvictionContender(int held) {
    int port = FreePort.find();
    long regionBytes = FIXED_BYTES + (long) held * PAGE_BYTES;
    ignite =
        Ignition.start(
            new IgniteConfiguration()
                .setIgniteInstanceName("training-day-bench-pages-" + port)
                .setGridLogger(new NullLogger())
                .setWorkDirectory(directory.path().toString())
                .setLocalHost("127.0.0.1")
                .setConnectorConfiguration(null)
                .setClientConnectorConfiguration(null)
                .setMetricsLogFrequency(0)
                .setDiscoverySpi(
                    new TcpDiscoverySpi()
                        .setLocalPort(port)
                        .setLocalPortRange(0)
                        .setIpFinder(
                            new TcpDiscoveryVmIpFinder()
                                .setAddresses(List.of("127.0.0.1:" + port))))
                .setCommunicationSpi(new TcpCommunicationSpi().setLocalPort(FreePort.find()))
                .setDataStorageConfiguration(
                    new DataStorageConfiguration()
                        .setPageSize(PAGE_BYTES)
                        .setDefaultDataRegionConfiguration(
                            new DataRegionConfiguration()
                                .setName("pages")
                                .setInitialSize(regionBytes)
                                .setMaxSize(regionBytes)
                                .setEmptyPagesPoolSize(emptyPages(regionBytes))
                                .setPageEvictionMode(DataPageEvictionMode.RANDOM_2_LRU))));
    cache =
        ignite.getOrCreateCache(
            new CacheConfiguration<Integer, byte[]>("pages")
                .setAffinity(new RendezvousAffinityFunction(false, PARTITIONS)));
  }

  /** Ignite's default is 100, and it takes fewer than a tenth of all. */
  private static int emptyPages(long regionBytes) {
    return (int) Math.min(100, regionBytes / PAGE_BYTES / 10 - 1);
  }

  @Override
  public long read(int[] samples) {
    byte[] record = new byte[SAMPLE_BYTES];
    long hits = 0;
    for (int sample : samples) {
      if (cache.get(sample) != null) {
        hits++;
      } else {
        cache.put(sample, record);
      }
    }
    return hits;
  }

  @Override
  public void close() {
    Ignition.stop(ignite.name(), true);
    directory.close();
  }
}
