package io.trainingday.node.store;

import io.trainingday.grid.GridCaches;
import io.trainingday.node.TestNodes;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.IntStream;
import org.apache.ignite.Ignite;
import org.apache.ignite.Ignition;
import org.apache.ignite.cache.CacheAtomicityMode;
import org.apache.ignite.cache.CacheWriteSynchronizationMode;
import org.apache.ignite.cache.affinity.rendezvous.RendezvousAffinityFunction;
import org.apache.ignite.configuration.CacheConfiguration;
import org.apache.ignite.configuration.DataRegionConfiguration;
import org.apache.ignite.configuration.DataStorageConfiguration;
import org.apache.ignite.configuration.IgniteConfiguration;
import org.apache.ignite.configuration.SystemDataRegionConfiguration;
import org.apache.ignite.failure.AbstractFailureHandler;
import org.apache.ignite.failure.FailureContext;
import org.apache.ignite.spi.communication.tcp.TcpCommunicationSpi;
import org.apache.ignite.spi.discovery.DiscoverySpi;
import org.apache.ignite.spi.discovery.isolated.IsolatedDiscoverySpi;
import org.apache.ignite.spi.discovery.tcp.TcpDiscoverySpi;
import org.apache.ignite.spi.discovery.tcp.ipfinder.vm.TcpDiscoveryVmIpFinder;

/** An Ignite node with one small region of samples, for tests; notes what Ignite calls failures. */
public final class SmallNode implements AutoCloseable {
  public static final String REGION = "samples";
  public static final int PAGE_BYTES = 16 << 10;

  static final int PARTITIONS = 32;

  /** Ports in a row that nodes which find each other have. */
  static final int PORTS = 6;

  private static final AtomicInteger STARTED = new AtomicInteger();

  private final List<String> failures;
  private final Ignite ignite;

  private SmallNode(List<String> failures, Ignite ignite) {
    this.failures = failures;
    this.ignite = ignite;
  }

  /** A node on its own: no discovery, no fixed port. */
  public static SmallNode start(Path workDirectory, long regionBytes) {
    return start(workDirectory, regionBytes, new IsolatedDiscoverySpi());
  }

  /**
   * A node that finds others on {@code discoveryPort} and the few ports after it, {@value #PORTS}
   * in all.
   */
  static SmallNode join(Path workDirectory, long regionBytes, int discoveryPort) {
    String addresses = "127.0.0.1:%d..%d".formatted(discoveryPort, discoveryPort + PORTS - 1);
    return start(
        workDirectory,
        regionBytes,
        new TcpDiscoverySpi()
            .setLocalPort(discoveryPort)
            .setLocalPortRange(PORTS - 1)
            .setIpFinder(new TcpDiscoveryVmIpFinder(true).setAddresses(List.of(addresses))));
  }

  private static SmallNode start(Path workDirectory, long regionBytes, DiscoverySpi discovery) {
    String name = "small-" + STARTED.incrementAndGet();
    List<String> failures = new CopyOnWriteArrayList<>();
    IgniteConfiguration configuration =
        new IgniteConfiguration()
            .setIgniteInstanceName(name)
            .setConsistentId(name)
            .setLocalHost("127.0.0.1")
            .setDiscoverySpi(discovery)
            .setCommunicationSpi(
                new TcpCommunicationSpi().setLocalPort(TestNodes.freePort()).setLocalPortRange(0))
            .setWorkDirectory(workDirectory.toAbsolutePath().toString())
            .setConnectorConfiguration(null)
            .setClientConnectorConfiguration(null)
            .setMetricsLogFrequency(0)
            .setPublicThreadPoolSize(4)
            .setSystemThreadPoolSize(4)
            .setStripedPoolSize(4)
            .setFailureHandler(new NotingHandler(failures))
            .setDataStorageConfiguration(
                new DataStorageConfiguration()
                    .setPageSize(PAGE_BYTES)
                    .setSystemDataRegionConfiguration(
                        new SystemDataRegionConfiguration()
                            .setInitialSize(16 << 20)
                            .setMaxSize(32 << 20))
                    .setDefaultDataRegionConfiguration(region("default", 16 << 20))
                    .setDataRegionConfigurations(region(REGION, regionBytes)))
            .setCacheConfiguration(
                IntStream.rangeClosed(0, GridCaches.MAX_BACKUPS)
                    .mapToObj(SmallNode::cache)
                    .toArray(CacheConfiguration<?, ?>[]::new));
    return new SmallNode(failures, Ignition.start(configuration));
  }

  private static CacheConfiguration<?, ?> cache(int backups) {
    return new CacheConfiguration<>(GridCaches.samples(backups))
        .setDataRegionName(REGION)
        .setAtomicityMode(CacheAtomicityMode.ATOMIC)
        .setWriteSynchronizationMode(CacheWriteSynchronizationMode.FULL_SYNC)
        .setBackups(backups)
        .setAffinity(new RendezvousAffinityFunction(false, PARTITIONS));
  }

  private static DataRegionConfiguration region(String name, long bytes) {
    return new DataRegionConfiguration().setName(name).setInitialSize(16 << 20).setMaxSize(bytes);
  }

  public Ignite ignite() {
    return ignite;
  }

  // Ignite points to its metric registry instead, which has this figure only inside its internals.
  @SuppressWarnings("deprecation")
  public long usedPages() {
    return ignite.dataRegionMetrics(REGION).getTotalUsedPages();
  }

  /** What was reported to Ignite's failure handler, which does nothing else here. */
  public List<String> failures() {
    return failures;
  }

  @Override
  public void close() {
    Ignition.stop(ignite.name(), true);
  }

  private static final class NotingHandler extends AbstractFailureHandler {
    private final List<String> failures;

    NotingHandler(List<String> failures) {
      this.failures = failures;
    }

    @Override
    protected boolean handle(Ignite ignite, FailureContext failure) {
      failures.add(failure.type() + ": " + failure.error());
      return false;
    }
  }
}
