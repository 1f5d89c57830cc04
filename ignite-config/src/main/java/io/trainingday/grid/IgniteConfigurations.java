package io.trainingday.grid;

import io.trainingday.config.SettingKey;
import io.trainingday.config.Settings;
import io.trainingday.config.SettingsException;
import io.trainingday.grid.discovery.GridDiscovery;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Consumer;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import javax.net.ssl.SSLContext;
import org.apache.ignite.IgniteSystemProperties;
import org.apache.ignite.configuration.CacheConfiguration;
import org.apache.ignite.configuration.DataPageEvictionMode;
import org.apache.ignite.configuration.DataRegionConfiguration;
import org.apache.ignite.configuration.DataStorageConfiguration;
import org.apache.ignite.configuration.IgniteConfiguration;
import org.apache.ignite.configuration.SystemDataRegionConfiguration;
import org.apache.ignite.lifecycle.LifecycleBean;
import org.apache.ignite.spi.communication.tcp.TcpCommunicationSpi;
import org.apache.ignite.spi.discovery.tcp.TcpDiscoverySpi;
import org.apache.ignite.spi.discovery.tcp.ipfinder.vm.TcpDiscoveryVmIpFinder;

/** Turns settings into the configuration of the Ignite node that carries them out. */
public final class IgniteConfigurations {
  // Ignite's largest: a page hop costs about 1 us, and a 150 KB record takes 10 instead of 38.
  private static final int PAGE_BYTES = 16 << 10;

  // Ignite's smallest region is 10 MiB. Nothing of ours lives in the default region, and what the
  // system's holds does not grow with the samples.
  private static final long DEFAULT_REGION_BYTES = 16L << 20;
  private static final long SYSTEM_REGION_BYTES = 32L << 20;
  // Reserved at once; the rest follows in a few steps as it is used.
  private static final long INITIAL_REGION_BYTES = 256L << 20;

  // 32 KiB, the default, makes a record of 150 KB many small writes.
  private static final int SOCKET_BUFFER_BYTES = 1 << 20;
  // The default is no limit: messages for a slow node would fill the heap.
  private static final int MESSAGE_QUEUE_LIMIT = 1024;

  /** On the class path. Ignite adds its own list of classes to it. */
  private static final String MARSHALLER_CLASSES = "io/trainingday/grid/marshaller-classes.txt";

  private IgniteConfigurations() {}

  /**
   * The configuration of one node, to be started once. Caches, data regions, the failure handler
   * and the page size are always ours; everything else that an own Ignite XML ({@code
   * grid.igniteXml}) sets is kept. No client, REST or JDBC port is opened unless that XML or the
   * caller sets a connector. Unless their system properties are set, switches off Ignite's update
   * notifier in this JVM, and lets Java objects of no other classes be read in it than Ignite's own
   * list and {@code marshaller-classes.txt} have.
   *
   * @param laneAddress {@code HOST:PORT} of the node's lane over TCP, for the other nodes; empty
   *     without one
   * @throws io.trainingday.config.SettingsException if the own Ignite XML cannot be used
   */
  public static IgniteConfiguration create(
      Settings settings, GridListener listener, Optional<String> laneAddress) {
    return create(settings, listener, laneAddress, Optional.empty(), Optional.empty());
  }

  /**
   * As above, of a node with a disk tier or TLS.
   *
   * @param kept what the node tells the others of what it kept, see {@link NodeAttributes#KEPT}
   * @param tls this node's certificate and what it trusts, of {@code grid.tls}; empty: no TLS
   */
  public static IgniteConfiguration create(
      Settings settings,
      GridListener listener,
      Optional<String> laneAddress,
      Optional<byte[]> kept,
      Optional<SSLContext> tls) {
    setUnlessSet(IgniteSystemProperties.IGNITE_UPDATE_NOTIFIER, "false");
    setUnlessSet(IgniteSystemProperties.IGNITE_MARSHALLER_WHITELIST, MARSHALLER_CLASSES);
    BaseConfiguration base =
        settings
            .grid()
            .igniteXml()
            .map(BaseConfiguration::load)
            .orElseGet(BaseConfiguration::empty);
    IgniteConfiguration ignite = base.ignite();
    NodeLifecycle lifecycle = new NodeLifecycle(listener);
    lifecycle.afterStop(base.close());

    FailureRelay failures = new FailureRelay(listener);
    ignite.setFailureHandler(failures);
    ignite.setLifecycleBeans(withOurs(ignite.getLifecycleBeans(), lifecycle));
    ignite.setUserAttributes(attributes(ignite, settings, laneAddress, kept));
    ignite.setDataStorageConfiguration(
        storage(ignite.getDataStorageConfiguration(), settings.memory()));
    ignite.setCacheConfiguration(caches(ignite, settings.grid().partitions()));
    setUnlessGiven(ignite, base.given(), settings.grid(), listener);
    tls.ifPresent(context -> encrypt(ignite, base, settings, context));
    unlessGiven(
        base.given(),
        "discoverySpi",
        () ->
            ignite.setDiscoverySpi(
                discovery(
                    settings.grid(),
                    listener,
                    cause -> failures.stop(ignite.getIgniteInstanceName(), cause))));
    if (!base.given().contains("workDirectory")) {
      ignite.setWorkDirectory(lifecycle.temporaryWorkDirectory().toString());
    }
    return ignite;
  }

  private static void setUnlessSet(String property, String value) {
    if (System.getProperty(property) == null) {
      System.setProperty(property, value);
    }
  }

  private static void encrypt(
      IgniteConfiguration ignite, BaseConfiguration base, Settings settings, SSLContext context) {
    if (base.given().contains("sslContextFactory")) {
      throw new SettingsException(
          "settings",
          List.of(
              new SettingsException.Problem(
                  SettingKey.GRID_TLS_CERTIFICATE.name(),
                  settings.grid().tls().certificate().map(Path::toString).orElse("set"),
                  "unset beside an sslContextFactory in "
                      + SettingKey.GRID_IGNITE_XML
                      + settings.grid().igniteXml().map(xml -> "=" + xml).orElse(""),
                  "take one of both out")));
    }
    SSLContext only = Tls13.only(context);
    ignite.setSslContextFactory(() -> only);
  }

  private static void setUnlessGiven(
      IgniteConfiguration ignite, Set<String> given, Settings.Grid grid, GridListener listener) {
    String node = grid.resolvedHostId() + "-" + grid.port();
    unlessGiven(
        given, "igniteInstanceName", () -> ignite.setIgniteInstanceName(grid.name() + "-" + node));
    unlessGiven(given, "consistentId", () -> ignite.setConsistentId(node));
    unlessGiven(given, "gridLogger", () -> ignite.setGridLogger(new Slf4jIgniteLogger(listener)));
    unlessGiven(given, "metricsLogFrequency", () -> ignite.setMetricsLogFrequency(0));
    unlessGiven(given, "connectorConfiguration", () -> ignite.setConnectorConfiguration(null));
    unlessGiven(
        given, "clientConnectorConfiguration", () -> ignite.setClientConnectorConfiguration(null));
    // Each thread may have a message in hand, of the largest record, for which room is kept. One
    // keeps up with rebalance.maxRate.
    unlessGiven(given, "rebalanceThreadPoolSize", () -> ignite.setRebalanceThreadPoolSize(1));
    unlessGiven(given, "localHost", () -> ignite.setLocalHost(grid.localAddress()));
    unlessGiven(given, "communicationSpi", () -> ignite.setCommunicationSpi(communication(grid)));
    unlessGiven(
        given,
        "failureDetectionTimeout",
        () -> ignite.setFailureDetectionTimeout(grid.failureDetectionTimeout().toMillis()));
  }

  private static void unlessGiven(Set<String> given, String property, Runnable set) {
    if (!given.contains(property)) {
      set.run();
    }
  }

  private static LifecycleBean[] withOurs(LifecycleBean[] theirs, LifecycleBean ours) {
    // Ours first: it drains readers before another bean may pull something from under them.
    return Stream.concat(Stream.of(ours), theirs == null ? Stream.of() : Arrays.stream(theirs))
        .toArray(LifecycleBean[]::new);
  }

  private static Map<String, Object> attributes(
      IgniteConfiguration ignite,
      Settings settings,
      Optional<String> laneAddress,
      Optional<byte[]> kept) {
    Map<String, Object> attributes = new HashMap<>();
    if (ignite.getUserAttributes() != null) {
      attributes.putAll(ignite.getUserAttributes());
    }
    attributes.put(NodeAttributes.HOST_ID, settings.grid().resolvedHostId());
    settings.grid().zone().ifPresent(zone -> attributes.put(NodeAttributes.ZONE, zone));
    attributes.put(NodeAttributes.BUDGET_BYTES, settings.memory().maxSize().bytes());
    attributes.put(NodeAttributes.RECORD_FORMAT, NodeAttributes.OWN_RECORD_FORMAT);
    laneAddress.ifPresent(address -> attributes.put(NodeAttributes.LANE, address));
    kept.ifPresent(bytes -> attributes.put(NodeAttributes.KEPT, bytes));
    return attributes;
  }

  private static CacheConfiguration<?, ?>[] caches(IgniteConfiguration ignite, int partitions) {
    List<CacheConfiguration<?, ?>> ours = GridCaches.configurations(partitions);
    Set<String> names = ours.stream().map(CacheConfiguration::getName).collect(Collectors.toSet());
    List<CacheConfiguration<?, ?>> all = new ArrayList<>(ours);
    if (ignite.getCacheConfiguration() != null) {
      for (CacheConfiguration<?, ?> theirs : ignite.getCacheConfiguration()) {
        if (!names.contains(theirs.getName())) {
          all.add(theirs);
        }
      }
    }
    return all.toArray(CacheConfiguration<?, ?>[]::new);
  }

  private static DataStorageConfiguration storage(
      DataStorageConfiguration theirs, Settings.Memory memory) {
    List<DataRegionConfiguration> regions = new ArrayList<>();
    regions.add(region(GridCaches.SAMPLES_REGION, memory.maxSize().bytes()));
    regions.add(region(GridCaches.META_REGION, memory.metaMaxSize().bytes()));
    DataStorageConfiguration storage = theirs;
    if (storage == null) {
      storage =
          new DataStorageConfiguration()
              .setDefaultDataRegionConfiguration(region("default", DEFAULT_REGION_BYTES))
              .setSystemDataRegionConfiguration(
                  new SystemDataRegionConfiguration()
                      .setInitialSize(DEFAULT_REGION_BYTES)
                      .setMaxSize(SYSTEM_REGION_BYTES));
    } else if (storage.getDataRegionConfigurations() != null) {
      Arrays.stream(storage.getDataRegionConfigurations())
          .filter(r -> !r.getName().equals(GridCaches.SAMPLES_REGION))
          .filter(r -> !r.getName().equals(GridCaches.META_REGION))
          .forEach(regions::add);
    }
    return storage
        .setPageSize(PAGE_BYTES)
        .setDataRegionConfigurations(regions.toArray(DataRegionConfiguration[]::new));
  }

  /** Off-heap, in memory alone; pages are never evicted: that lost 60 % of a set that fitted. */
  private static DataRegionConfiguration region(String name, long maxBytes) {
    return new DataRegionConfiguration()
        .setName(name)
        .setInitialSize(Math.min(maxBytes, INITIAL_REGION_BYTES))
        .setMaxSize(maxBytes)
        .setLazyMemoryAllocation(true)
        .setPageEvictionMode(DataPageEvictionMode.DISABLED)
        .setPersistenceEnabled(false);
  }

  private static TcpDiscoverySpi discovery(
      Settings.Grid grid, GridListener listener, Consumer<String> onMustGo) {
    Settings.Discovery discovery = grid.discovery();
    List<String> addresses =
        discovery
            .dnsName()
            // Ignite resolves the name again on every attempt.
            .map(name -> List.of(name + ":" + grid.port()))
            .orElseGet(discovery::addresses);
    if (addresses.isEmpty()) {
      addresses = List.of(address(grid.localAddress(), grid.port()));
    }
    TcpDiscoverySpi spi =
        new GridDiscovery(
            discovery.dnsName().isPresent(), discovery.settleTime(), onMustGo, listener::refused);
    spi.setLocalPort(grid.port());
    spi.setLocalPortRange(0);
    spi.setIpFinder(new TcpDiscoveryVmIpFinder().setAddresses(addresses));
    return spi;
  }

  private static String address(String host, int port) {
    return (host.contains(":") ? "[" + host + "]" : host) + ":" + port;
  }

  private static TcpCommunicationSpi communication(Settings.Grid grid) {
    TcpCommunicationSpi spi = new TcpCommunicationSpi();
    spi.setLocalPort(grid.communicationPort());
    spi.setLocalPortRange(0);
    spi.setSocketSendBuffer(SOCKET_BUFFER_BYTES);
    spi.setSocketReceiveBuffer(SOCKET_BUFFER_BYTES);
    spi.setMessageQueueLimit(MESSAGE_QUEUE_LIMIT);
    return spi;
  }
}
