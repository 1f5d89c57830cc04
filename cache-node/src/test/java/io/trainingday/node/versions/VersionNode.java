package io.trainingday.node.versions;

import io.trainingday.config.Settings.SmallGrids;
import io.trainingday.grid.GridCaches;
import io.trainingday.grid.NodeAttributes;
import io.trainingday.node.membership.GridMembership;
import io.trainingday.node.membership.Keeper;
import io.trainingday.node.membership.ServingLease;
import io.trainingday.node.recovery.Kept;
import io.trainingday.node.recovery.KeptFiles;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.RejectedExecutionException;
import java.util.function.Function;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.apache.ignite.Ignite;
import org.apache.ignite.Ignition;
import org.apache.ignite.cache.CacheAtomicityMode;
import org.apache.ignite.cache.CacheMode;
import org.apache.ignite.cache.CacheRebalanceMode;
import org.apache.ignite.cache.CacheWriteSynchronizationMode;
import org.apache.ignite.cache.affinity.rendezvous.RendezvousAffinityFunction;
import org.apache.ignite.cluster.ClusterNode;
import org.apache.ignite.configuration.CacheConfiguration;
import org.apache.ignite.configuration.DataRegionConfiguration;
import org.apache.ignite.configuration.DataStorageConfiguration;
import org.apache.ignite.configuration.IgniteConfiguration;
import org.apache.ignite.failure.NoOpFailureHandler;
import org.apache.ignite.logger.NullLogger;
import org.apache.ignite.spi.communication.tcp.TcpCommunicationSpi;
import org.apache.ignite.spi.discovery.tcp.TcpDiscoverySpi;
import org.apache.ignite.spi.discovery.tcp.ipfinder.vm.TcpDiscoveryVmIpFinder;
import org.jspecify.annotations.Nullable;

/**
 * A grid node with version keys and nothing else. Its pings go over TCP, one line a connection; who
 * starts it may answer other lines. It has no failure handler: taken for dead by the others, it
 * goes on as long as we let it.
 */
final class VersionNode implements AutoCloseable {
  static final Duration LEASE = Duration.ofSeconds(1);
  static final Duration FAILURE_DETECTION = Duration.ofSeconds(3);
  static final Duration PATIENCE = Duration.ofSeconds(30);
  static final Map<String, String> DEFAULTS = Map.of("validation", "checksum", "backups", "0");

  private static final int MAX_NODES = 5;

  /** Ports in a row that a grid of such nodes has. */
  static final int PORTS = 2 * MAX_NODES;

  private static final String PORT = "test.port";

  private final ServerSocket server;
  private final ExecutorService threads =
      Executors.newCachedThreadPool(
          task -> {
            Thread thread = new Thread(task, "version-node");
            thread.setDaemon(true);
            return thread;
          });
  private final @Nullable KeptFiles kept;
  private final @Nullable Recovery recovery;
  private final Ignite ignite;
  private final GridMembership membership;
  private final ServingLease lease;
  private final VersionKeys keys;

  /**
   * Starts the node and waits until it serves.
   *
   * @param index below {@value #MAX_NODES}
   * @param basePort the first of {@value #PORTS} that belong to the grid
   * @param other answers lines that are no ping
   */
  VersionNode(int index, int basePort, Path directory, Function<String, String> other) {
    this(index, basePort, directory, null, other);
  }

  /**
   * Starts the node and waits until it has its serving lease.
   *
   * @param recoveryWait of a node that keeps its version keys on disk, null for one that does not
   */
  VersionNode(
      int index,
      int basePort,
      Path directory,
      @Nullable Duration recoveryWait,
      Function<String, String> other) {
    try {
      server = new ServerSocket(0, 50, InetAddress.getLoopbackAddress());
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    Map<String, Object> attributes = new HashMap<>(Map.of(PORT, server.getLocalPort()));
    Optional<Kept> before = Optional.empty();
    if (recoveryWait == null) {
      kept = null;
    } else {
      kept = KeptFiles.open(directory.resolve("kept-" + index));
      before = kept.kept();
      attributes.put(NodeAttributes.KEPT, before.map(Kept::encode).orElseGet(() -> new byte[0]));
    }
    ignite = Ignition.start(configuration(index, basePort, directory, attributes));
    recovery =
        kept == null || recoveryWait == null
            ? null
            : new Recovery(ignite, kept, before, recoveryWait, () -> 32L << 20, PATIENCE);
    membership =
        new GridMembership(
            ignite, SmallGrids.STOP, LEASE, recovery == null ? Keeper.NONE : recovery.keeper());
    lease = new ServingLease(membership, LEASE, this::ping);
    keys =
        new VersionKeys(
            ignite,
            DEFAULTS,
            () -> 32L << 20,
            membership::fence,
            lease::isHeld,
            PATIENCE,
            recovery);
    if (recovery != null) {
      recovery.begin(membership);
    }
    threads.execute(() -> accept(other));
    try {
      if (!lease.awaitHeld(Duration.ofSeconds(20))) {
        throw new AssertionError("no serving lease: " + membership.trouble());
      }
    } catch (InterruptedException e) {
      throw new AssertionError(e);
    }
  }

  static VersionNode start(int index, int basePort, Path directory) {
    return new VersionNode(index, basePort, directory, line -> "?");
  }

  static String name(int index, int basePort) {
    return "versions-" + basePort + "-" + index;
  }

  private static IgniteConfiguration configuration(
      int index, int basePort, Path directory, Map<String, Object> attributes) {
    String name = name(index, basePort);
    IgniteConfiguration configuration =
        new IgniteConfiguration()
            .setIgniteInstanceName(name)
            .setConsistentId(name)
            .setGridLogger(new NullLogger())
            .setWorkDirectory(directory.resolve(name).toAbsolutePath().toString())
            .setLocalHost("127.0.0.1")
            .setMetricsLogFrequency(0)
            .setFailureDetectionTimeout(FAILURE_DETECTION.toMillis())
            .setFailureHandler(new NoOpFailureHandler())
            .setUserAttributes(attributes)
            .setDiscoverySpi(
                new TcpDiscoverySpi()
                    .setLocalPort(basePort + index)
                    .setLocalPortRange(0)
                    .setIpFinder(
                        new TcpDiscoveryVmIpFinder()
                            .setAddresses(
                                IntStream.range(0, MAX_NODES)
                                    .mapToObj(i -> "127.0.0.1:" + (basePort + i))
                                    .toList())))
            .setCommunicationSpi(
                new TcpCommunicationSpi()
                    .setLocalPort(basePort + MAX_NODES + index)
                    .setLocalPortRange(0))
            .setDataStorageConfiguration(
                new DataStorageConfiguration()
                    .setPageSize(16_384)
                    .setDefaultDataRegionConfiguration(
                        new DataRegionConfiguration()
                            .setName("meta")
                            .setInitialSize(64L << 20)
                            .setMaxSize(64L << 20)))
            .setCacheConfiguration(caches());
    configuration.setClientConnectorConfiguration(null);
    configuration.setConnectorConfiguration(null);
    return configuration;
  }

  private static CacheConfiguration<?, ?>[] caches() {
    return Stream.of(
            GridCaches.VERSIONS,
            GridCaches.HEADS,
            GridCaches.PIPELINES,
            GridCaches.MANIFESTS,
            GridCaches.ORIGIN)
        .map(
            name ->
                new CacheConfiguration<>(name)
                    .setCacheMode(CacheMode.REPLICATED)
                    .setAtomicityMode(CacheAtomicityMode.TRANSACTIONAL)
                    .setWriteSynchronizationMode(CacheWriteSynchronizationMode.FULL_SYNC)
                    .setRebalanceMode(CacheRebalanceMode.SYNC)
                    .setAffinity(new RendezvousAffinityFunction(false, 32)))
        .toArray(CacheConfiguration<?, ?>[]::new);
  }

  private CompletableFuture<Boolean> ping(UUID node) {
    return CompletableFuture.supplyAsync(
        () -> {
          ClusterNode other = ignite.cluster().node(node);
          if (other == null) {
            throw new IllegalStateException("gone: " + node);
          }
          Integer port = other.attribute(PORT);
          return Boolean.parseBoolean(
              ask(port, "ping " + ignite.cluster().localNode().id(), LEASE));
        },
        threads);
  }

  /** One line for one line. */
  static String ask(int port, String line, Duration timeout) {
    try (Socket socket = new Socket()) {
      socket.connect(
          new InetSocketAddress(InetAddress.getLoopbackAddress(), port), (int) timeout.toMillis());
      socket.setSoTimeout((int) timeout.toMillis());
      socket.getOutputStream().write((line + "\n").getBytes(StandardCharsets.UTF_8));
      String answer = reader(socket).readLine();
      if (answer == null) {
        throw new IOException("no answer to " + line);
      }
      return answer;
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static BufferedReader reader(Socket socket) throws IOException {
    return new BufferedReader(
        new InputStreamReader(socket.getInputStream(), StandardCharsets.UTF_8));
  }

  private void accept(Function<String, String> other) {
    while (!server.isClosed()) {
      try {
        Socket socket = server.accept();
        threads.execute(() -> answer(socket, other));
      } catch (IOException | RejectedExecutionException closed) {
        return;
      }
    }
  }

  private void answer(Socket socket, Function<String, String> other) {
    try (socket) {
      String line = reader(socket).readLine();
      if (line == null) {
        return;
      }
      String answer =
          line.startsWith("ping ")
              ? Boolean.toString(membership.contains(UUID.fromString(line.substring(5))))
              : other.apply(line);
      OutputStream out = socket.getOutputStream();
      out.write((answer + "\n").getBytes(StandardCharsets.UTF_8));
    } catch (IOException gone) {
      // Whoever asked has not waited.
    }
  }

  int port() {
    return server.getLocalPort();
  }

  Ignite ignite() {
    return ignite;
  }

  GridMembership membership() {
    return membership;
  }

  ServingLease lease() {
    return lease;
  }

  VersionKeys keys() {
    return keys;
  }

  /** Of a node that keeps its version keys on disk. */
  Recovery recovery() {
    return Objects.requireNonNull(recovery);
  }

  List<String> members() {
    return ignite.cluster().nodes().stream().map(n -> n.consistentId().toString()).toList();
  }

  /** Leaves in order, as a cache node does. */
  @Override
  public void close() {
    lease.close();
    keys.close();
    membership.close();
    if (recovery != null) {
      recovery.close();
    }
    ignite.close();
    threads.shutdownNow();
    try {
      if (kept != null) {
        kept.close();
      }
      server.close();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
