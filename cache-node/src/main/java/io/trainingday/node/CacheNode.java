package io.trainingday.node;

import io.trainingday.config.Settings;
import io.trainingday.node.capacity.MemoryPlan;
import io.trainingday.node.disk.DiskOptions;
import io.trainingday.node.disk.DiskRefusedException;
import io.trainingday.node.inquiry.Inquiries;
import io.trainingday.node.lane.GridTls;
import io.trainingday.node.lane.LaneEndpoint;
import io.trainingday.node.lane.LaneServer;
import io.trainingday.node.lane.LaneServices;
import io.trainingday.node.metrics.HandOverReport;
import io.trainingday.node.metrics.MetricsServer;
import io.trainingday.node.metrics.NodeStats;
import io.trainingday.node.ownership.Ownership;
import io.trainingday.node.peer.Peers;
import io.trainingday.node.reload.SettingsWatch;
import io.trainingday.node.reload.Tls;
import io.trainingday.node.store.RecordStores;
import io.trainingday.node.tier.DiskTier;
import io.trainingday.node.versions.DatasetAdmin;
import io.trainingday.node.versions.VersionKeys;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.function.Consumer;
import java.util.function.Supplier;
import org.apache.ignite.IgniteSystemProperties;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One cache node: an Ignite node with a lane for the trainers of its host.
 *
 * <pre>{@code
 * try (CacheNode node = CacheNode.launch(Settings.defaults())) {
 *   // trainers attach to node.socket()
 * }
 * }</pre>
 *
 * <p>The JVM needs the arguments in {@code cache-node/bin/ignite.jvmargs}. However the node is
 * stopped (this {@link #close}, a failure inside Ignite, a signal), the lane is drained first:
 * Ignite frees its memory, and a reader that is still copying would take the JVM down.
 */
public final class CacheNode implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(CacheNode.class);

  private final Settings settings;
  private final NodeCondition condition = new NodeCondition();
  private final LaneEndpoint endpoint;
  private final IgniteNode node;
  private final Serving serving;
  private final Storage storage;
  private final Inquiries inquiries;
  private final LaneServer lane;
  private final SettingsWatch watch;
  private final NodeReport report;
  private final @Nullable MetricsServer metrics;
  private volatile boolean stopWanted;
  private final Object handOverLock = new Object();
  private @Nullable HandOverReport handedOver;

  /**
   * Has nodes that are started from now on stop by {@link #close} alone, not at once by a signal:
   * for a process that hears signals itself and hands over first.
   */
  public static void leaveSignalsToCaller() {
    System.setProperty(IgniteSystemProperties.IGNITE_NO_SHUTDOWN_HOOK, "true");
  }

  /**
   * Starts a node and returns when trainers can attach.
   *
   * @throws io.trainingday.node.lane.LaneStartException when the lane cannot be opened, as when
   *     another node serves that socket or has that port
   * @throws NodeStartException when the disk tier, Ignite or the metrics port cannot be started
   */
  public static CacheNode launch(Settings stated) {
    stated.validate();
    Settings settings = MemoryPlan.resolve(stated);
    GridTls gridTls = GridTls.read(settings.grid().tls());
    LaneEndpoint endpoint = LaneEndpoint.claim(settings);
    Optional<DiskTier> disk = Optional.empty();
    try {
      disk = openDisk(settings);
      return new CacheNode(stated, settings, endpoint, gridTls, disk);
    } catch (RuntimeException | Error e) {
      disk.ifPresent(DiskTier::close);
      endpoint.close();
      throw e;
    }
  }

  private static Optional<DiskTier> openDisk(Settings settings) {
    try {
      return DiskTier.open(settings, DiskOptions.Evictor.none());
    } catch (DiskRefusedException e) {
      throw new NodeStartException(
          "the disk tier cannot be opened with disk.path=%s, disk.maxSize=%s: %s"
              .formatted(
                  settings.disk().path().orElseThrow(), settings.disk().maxSize(), e.getMessage()),
          e);
    }
  }

  private CacheNode(
      Settings stated,
      Settings settings,
      LaneEndpoint endpoint,
      GridTls gridTls,
      Optional<DiskTier> disk) {
    long startNanos = System.nanoTime();
    this.settings = settings;
    this.endpoint = endpoint;
    GridEvents events = new GridEvents(condition);
    node = IgniteNode.start(settings, events, endpoint.tcpAddress(), gridTls.context());
    try {
      RecordStores stores = node.stores();
      Ownership ownership = new Ownership(node.ignite(), stores);
      Peers peers =
          new Peers(
              ownership,
              endpoint::toPeers,
              settings.lane().answerTimeout(),
              Math.toIntExact(settings.lane().maxRecordSize().bytes()));
      serving = new Serving(settings, node, peers);
      VersionKeys versions = serving.versions();
      storage = new Storage(settings, node, stores, ownership, peers, versions, disk);
      // From here on there are threads that touch Ignite's memory.
      events.tell(storage.capacity().admission()::close, this::drainUnserved);
      inquiries = new Inquiries(stores, disk, ownership, peers, versions, storage.traces());
      serving.await();
      DatasetAdmin admin =
          new DatasetAdmin(versions, storage::held, storage.capacity()::termsChanged);
      watch =
          new SettingsWatch(stated, new Reloading(versions, admin, this::lane, endpoint, gridTls));
      lane = new LaneServer(endpoint, settings, services(admin));
      report =
          new NodeReport(
              startNanos,
              settings,
              condition,
              node,
              serving,
              storage,
              lane,
              watch,
              endpoint,
              gridTls,
              events.refusals());
      events.tell(storage.capacity().admission()::close, this::drain);
      String early = condition.failure().or(condition::notReady).orElse(null);
      if (early != null) {
        drain();
        throw new NodeStartException(
            "the node failed while it started: " + early, new IllegalStateException(early));
      }
      lane.listen();
      settings.lane().tokensFile().ifPresent(watch::followTokens);
      watch.followTls(Tls.LANE);
      watch.followTls(Tls.GRID);
      metrics = startMetrics(settings.metrics());
    } catch (RuntimeException | Error e) {
      node.stop();
      node.closeKeptFiles();
      throw e;
    }
    LOG.info(
        "Cache node {} is ready, lane at {}{}",
        node.ignite().name(),
        lane.socket(),
        laneAddress().map(address -> " and tcp://" + address).orElse(""));
  }

  private LaneServices services(DatasetAdmin admin) {
    return new LaneServices(
        storage.tieredStores(),
        storage.fills(),
        serving.versions(),
        storage.ownership(),
        storage.peers(),
        storage.forwarder(),
        serving::answer,
        serving.agreements(),
        admin,
        storage.capacity().reads(),
        this::drainAsAsked,
        storage.traces(),
        inquiries,
        this::statusJson);
  }

  private String statusJson(Optional<String> onlyOfTenant) {
    NodeStats all = stats();
    return onlyOfTenant.map(all::of).orElse(all).toJson();
  }

  /** For what is made before it and asks it later. */
  private LaneServer lane() {
    return lane;
  }

  private @Nullable MetricsServer startMetrics(Settings.Metrics where) {
    if (!where.enabled()) {
      return null;
    }
    try {
      return MetricsServer.start(where.address(), where.port(), report);
    } catch (IOException e) {
      throw new NodeStartException(String.valueOf(e.getMessage()), e);
    }
  }

  /** The Unix socket trainers attach to. */
  public Path socket() {
    return lane.socket();
  }

  /** {@code HOST:PORT} of the lane over TCP, empty when it is off. */
  public Optional<String> laneAddress() {
    return endpoint.tcpAddress();
  }

  /** The port of the metrics endpoint, empty when it is off. */
  public OptionalInt metricsPort() {
    return metrics == null ? OptionalInt.empty() : OptionalInt.of(metrics.port());
  }

  /** What the node was started with. */
  public Settings settings() {
    return settings;
  }

  /**
   * Takes over what changes in the file that the settings came from, as far as a running node can;
   * {@link NodeStats#reload} tells what became of it. Call it once, and not after {@link #close}.
   * The tokens file is followed without it.
   *
   * @param reader reads the settings again, from all that they come from; may throw {@link
   *     io.trainingday.config.SettingsException}
   * @param logLevel takes over another level
   */
  public void followSettings(
      Path file, Supplier<Settings> reader, Consumer<Settings.LogLevel> logLevel) {
    watch.followSettings(file, reader, logLevel);
  }

  /** The version keys of this node's grid. */
  public VersionKeys versions() {
    return serving.versions();
  }

  /** Why the node failed or is stopping, or empty while it works. */
  public Optional<String> failure() {
    return condition.failure();
  }

  /** Counters and gauges of now. */
  public NodeStats stats() {
    return report.stats();
  }

  /**
   * Hands over, before {@link #close}, what other nodes and disks can take, and sends trainers to
   * other nodes; takes little more than {@code stop.handOver}, and no time when there is nothing to
   * hand over. The node is not ready from then on and keeps no more records. Logs what is lost with
   * it. Safe to call again: nothing more happens.
   */
  public void handOver() {
    HandOverReport unused = handOverOnce();
  }

  private HandOverReport handOverOnce() {
    condition.leave();
    synchronized (handOverLock) {
      HandOverReport done = handedOver;
      if (done == null) {
        done =
            new HandOver(
                    storage.peers().localId(),
                    storage.stores(),
                    storage.ownership(),
                    storage.fills(),
                    lane,
                    storage::termsOf)
                .run(settings.stop().handOver());
        handedOver = done;
      }
      return done;
    }
  }

  private String drainAsAsked(boolean stop) {
    String json = handOverOnce().toJson();
    if (stop) {
      stopWanted = true;
    }
    return json;
  }

  /** Whether an administrator has asked for the node's stop, and everything is handed over. */
  public boolean isStopWanted() {
    return stopWanted;
  }

  /** Drains the lane and stops the node. Records in memory are gone. Safe to call again. */
  @Override
  public void close() {
    if (metrics != null) {
      metrics.close();
    }
    node.stop();
  }

  /** As {@link #drain}, of a node that has no lane yet; what follows closes the rest. */
  private void drainUnserved() {
    condition.stop();
    serving.close();
    storage.close();
  }

  /** Ends everything that touches Ignite's memory; runs before Ignite stops. Safe to call again. */
  private void drain() {
    condition.stop();
    watch.close();
    // Publishes that wait for other nodes end before the lane waits for them.
    serving.close();
    inquiries.close();
    lane.close();
    storage.close();
    endpoint.close();
    node.closeKeptFiles();
  }
}
