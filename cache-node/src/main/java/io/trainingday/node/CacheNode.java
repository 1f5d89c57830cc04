package io.trainingday.node;

import io.trainingday.config.SettingKey;
import io.trainingday.config.Settings;
import io.trainingday.grid.GridCaches;
import io.trainingday.grid.GridListener;
import io.trainingday.grid.IgniteConfigurations;
import io.trainingday.node.capacity.Capacity;
import io.trainingday.node.capacity.DatasetTerms;
import io.trainingday.node.capacity.MemoryPlan;
import io.trainingday.node.disk.DiskOptions;
import io.trainingday.node.disk.DiskRefusedException;
import io.trainingday.node.disk.DiskStats;
import io.trainingday.node.fill.Elsewhere;
import io.trainingday.node.fill.FillLimits;
import io.trainingday.node.fill.Fills;
import io.trainingday.node.inquiry.Inquiries;
import io.trainingday.node.lane.GridTls;
import io.trainingday.node.lane.LaneEndpoint;
import io.trainingday.node.lane.LaneServer;
import io.trainingday.node.lane.LaneServices;
import io.trainingday.node.lane.LaneStats;
import io.trainingday.node.lane.RefusalReason;
import io.trainingday.node.lane.Refusals;
import io.trainingday.node.membership.GridMembership;
import io.trainingday.node.membership.Keeper;
import io.trainingday.node.membership.ServingLease;
import io.trainingday.node.metrics.HandOverReport;
import io.trainingday.node.metrics.MetricsServer;
import io.trainingday.node.metrics.NodeLatencies;
import io.trainingday.node.metrics.NodeStats;
import io.trainingday.node.metrics.ObservedNode;
import io.trainingday.node.ownership.Member;
import io.trainingday.node.ownership.Ownership;
import io.trainingday.node.ownership.OwnershipTable;
import io.trainingday.node.peer.FillForwarder;
import io.trainingday.node.peer.Peers;
import io.trainingday.node.peer.Ping;
import io.trainingday.node.peer.Pong;
import io.trainingday.node.recovery.Kept;
import io.trainingday.node.recovery.KeptFiles;
import io.trainingday.node.recovery.KeptFilesException;
import io.trainingday.node.reload.Reloadable;
import io.trainingday.node.reload.SettingsWatch;
import io.trainingday.node.reload.Tls;
import io.trainingday.node.store.RecordStores;
import io.trainingday.node.tier.DiskTier;
import io.trainingday.node.tier.TieredStores;
import io.trainingday.node.traces.Fate;
import io.trainingday.node.traces.Traces;
import io.trainingday.node.versions.Agreements;
import io.trainingday.node.versions.DatasetAdmin;
import io.trainingday.node.versions.DatasetRefusedException;
import io.trainingday.node.versions.DatasetSettings;
import io.trainingday.node.versions.DatasetUsage;
import io.trainingday.node.versions.Recovery;
import io.trainingday.node.versions.VersionKeys;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;
import java.util.SortedMap;
import java.util.UUID;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import java.util.function.LongSupplier;
import java.util.function.Supplier;
import java.util.stream.Collectors;
import javax.net.ssl.SSLContext;
import org.apache.ignite.Ignite;
import org.apache.ignite.IgniteException;
import org.apache.ignite.IgniteSystemProperties;
import org.apache.ignite.Ignition;
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

  /** The directory of what is kept of the grid, below that of the disk tier. */
  private static final String KEPT = "keys";

  private static final Duration LEASE_WAIT = Duration.ofSeconds(10);

  private final Settings settings;
  private final long startNanos = System.nanoTime();
  private final LaneEndpoint endpoint;
  private final Optional<DiskTier> disk;
  private final @Nullable KeptFiles kept;
  private final Refusals gridRefusals;
  private final GridTls gridTls;
  private final Ignite ignite;
  private final RecordStores stores;
  private final Ownership ownership;
  private final Capacity capacity;
  private final Fills fills;
  private final @Nullable Recovery recovery;
  private final GridMembership membership;
  private final ServingLease lease;
  private final VersionKeys versions;
  private final Peers peers;
  private final FillForwarder forwarder;
  private final Inquiries inquiries;
  private final LaneServer lane;
  private final SettingsWatch watch;
  private final @Nullable MetricsServer metrics;
  private volatile @Nullable String failure;
  private volatile boolean stopping;
  private volatile boolean leaving;
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
    this.settings = settings;
    this.gridTls = gridTls;
    this.disk = disk;
    this.endpoint = endpoint;
    Stopper stopper = new Stopper();
    gridRefusals = stopper.refusals;
    kept = settings.disk().path().map(path -> openKept(path.resolve(KEPT))).orElse(null);
    Optional<Kept> before = kept == null ? Optional.empty() : kept.kept();
    try {
      ignite =
          startIgnite(
              settings, stopper, endpoint.tcpAddress(), attribute(before), gridTls.context());
    } catch (RuntimeException | Error e) {
      closeKept();
      throw e;
    }
    try {
      stores =
          switch (settings.lane().reader()) {
            case PAGE -> RecordStores.withPageReader(ignite);
            case PUBLIC -> RecordStores.withPublicReader(ignite);
          };
      ownership = new Ownership(ignite, stores);
      peers =
          new Peers(
              ownership,
              endpoint::toPeers,
              settings.lane().answerTimeout(),
              Math.toIntExact(settings.lane().maxRecordSize().bytes()));
      LongSupplier freeMetaBytes =
          () ->
              settings.memory().metaMaxSize().bytes()
                  - usedPages(GridCaches.META_REGION) * pageBytes();
      recovery =
          kept == null
              ? null
              : new Recovery(
                  ignite,
                  kept,
                  before,
                  settings.recovery().patience(),
                  freeMetaBytes,
                  patience(settings));
      membership =
          new GridMembership(
              ignite,
              settings.versions().smallGrids(),
              settings.versions().servingLease(),
              recovery == null ? Keeper.NONE : recovery.keeper());
      Ping ping = new Ping(peers.localId(), 0);
      lease =
          new ServingLease(
              membership,
              settings.versions().servingLease(),
              member -> peers.ping(member, ping).thenApply(pong -> !pong.refused()));
      versions =
          new VersionKeys(
              ignite,
              DatasetSettings.of(Settings.defaults().dataset("")),
              freeMetaBytes,
              membership::fence,
              lease::isHeld,
              patience(settings),
              recovery);
      if (recovery != null) {
        recovery.begin(membership);
      }
      capacity =
          Capacity.start(ignite, stores, ownership, settings, versions::isReachable, this::termsOf);
      disk.ifPresent(tier -> capacity.countDisk(tier::uses));
      disk.ifPresent(
          tier -> tier.start(ignite, stores, ownership, peers, capacity.room(), versions));
      versions.onPublish(
          () -> {
            capacity.versionsChanged();
            disk.ifPresent(DiskTier::versionsChanged);
          });
      Traces traces = new Traces(ownership, GridCaches.MAX_BACKUPS);
      capacity.onEviction(key -> traces.note(key, Fate.EVICTED));
      disk.ifPresent(tier -> tier.onEviction(key -> traces.note(key, Fate.EVICTED)));
      inquiries = new Inquiries(stores, disk, ownership, peers, versions, traces);
      fills =
          new Fills(
              FillLimits.of(
                  settings.fill().leaseTimeout(),
                  settings.fill().maxInFlight().bytes(),
                  settings.fill().writers()),
              capacity.room(),
              disk.map(DiskTier::formerOwners).orElse(Elsewhere.nowhere()),
              traces);
      forwarder =
          new FillForwarder(ownership, peers, fills, settings.fill().leaseTimeout(), traces);
      awaitLease();
      DatasetAdmin admin = new DatasetAdmin(versions, this::held, capacity::termsChanged);
      watch = new SettingsWatch(stated, new Reloading(admin));
      lane =
          LaneServer.open(
              endpoint,
              settings,
              new LaneServices(
                  new TieredStores(stores, disk),
                  fills,
                  versions,
                  ownership,
                  peers,
                  forwarder,
                  asked -> new Pong(!membership.contains(asked.from()), 0),
                  new Agreements(
                      ignite,
                      freeMetaBytes,
                      lease::isHeld,
                      settings.lane().answerTimeout().dividedBy(2)),
                  admin,
                  capacity.reads(),
                  this::drainAsAsked,
                  traces,
                  inquiries,
                  this::statusJson));
      stopper.node = this;
      String early = stopper.failure;
      if (early != null) {
        lane.close();
        throw new NodeStartException(
            "the node failed while it started: " + early, new IllegalStateException(early));
      }
      settings.lane().tokensFile().ifPresent(watch::followTokens);
      watch.followTls(Tls.LANE);
      watch.followTls(Tls.GRID);
      metrics = startMetrics(settings.metrics());
    } catch (RuntimeException | Error e) {
      Ignition.stop(ignite.name(), true);
      closeKept();
      throw e;
    }
    LOG.info(
        "Cache node {} is ready, lane at {}{}",
        ignite.name(),
        lane.socket(),
        laneAddress().map(address -> " and tcp://" + address).orElse(""));
  }

  private Optional<DatasetTerms> termsOf(long dataset) {
    return versions.kept(dataset).map(CacheNode::terms);
  }

  private static DatasetTerms terms(VersionKeys.Kept kept) {
    SortedMap<String, String> settings = kept.settings();
    return new DatasetTerms(
        kept.scopedName(),
        kept.source().length(),
        SettingKey.DATASET_BACKUPS.parse(settings.getOrDefault(DatasetSettings.BACKUPS, "")),
        SettingKey.DATASET_TIER.parse(settings.getOrDefault(DatasetSettings.TIER, "")),
        SettingKey.DATASET_POLICY.parse(settings.getOrDefault(DatasetSettings.POLICY, "")),
        SettingKey.DATASET_QUOTA.parse(settings.getOrDefault(DatasetSettings.QUOTA, "")),
        SettingKey.DATASET_GUARANTEED.parse(settings.getOrDefault(DatasetSettings.GUARANTEED, "")));
  }

  /** What the grid needs to notice that nodes failed, one after the other, and then a lease. */
  private static Duration patience(Settings settings) {
    return settings
        .grid()
        .failureDetectionTimeout()
        .multipliedBy(3)
        .plus(settings.versions().servingLease())
        .plusSeconds(20);
  }

  /** Trainers that come before would find nothing; one that has to wait too long may still come. */
  private void awaitLease() {
    try {
      if (!lease.awaitHeld(LEASE_WAIT)) {
        LOG.warn("The node starts without serving: {}.", lease.trouble().orElse(""));
      } else if (recovery != null && !recovery.awaitOver(LEASE_WAIT)) {
        recovery.trouble().ifPresent(why -> LOG.warn("The node starts without serving: {}.", why));
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new NodeStartException("interrupted while the node joined the grid", e);
    }
  }

  private static KeptFiles openKept(Path directory) {
    try {
      return KeptFiles.open(directory);
    } catch (KeptFilesException e) {
      throw new NodeStartException(String.valueOf(e.getMessage()), e);
    }
  }

  /** What the node tells the others of what it kept. */
  private Optional<byte[]> attribute(Optional<Kept> before) {
    return kept == null
        ? Optional.empty()
        : Optional.of(before.map(Kept::encode).orElseGet(() -> new byte[0]));
  }

  private void closeKept() {
    try {
      if (kept != null) {
        kept.close();
      }
    } catch (IOException e) {
      LOG.warn("Closing {} failed.", kept.directory(), e);
    }
  }

  private static Ignite startIgnite(
      Settings settings,
      GridListener listener,
      Optional<String> laneAddress,
      Optional<byte[]> kept,
      Optional<SSLContext> tls) {
    try {
      return Ignition.start(
          IgniteConfigurations.create(settings, listener, laneAddress, kept, tls));
    } catch (IgniteException e) {
      Throwable root = e;
      while (root.getCause() != null && root.getCause() != root) {
        root = root.getCause();
      }
      throw new NodeStartException(
          "the grid node cannot be started with grid.localAddress=%s, grid.port=%d, grid.communicationPort=%d: %s"
              .formatted(
                  settings.grid().localAddress(),
                  settings.grid().port(),
                  settings.grid().communicationPort(),
                  root.getMessage()),
          e);
    }
  }

  private @Nullable MetricsServer startMetrics(Settings.Metrics where) {
    if (!where.enabled()) {
      return null;
    }
    try {
      return MetricsServer.start(where.address(), where.port(), new Observed());
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
    return versions;
  }

  /** Why the node failed or is stopping, or empty while it works. */
  public Optional<String> failure() {
    return Optional.ofNullable(failure);
  }

  /** What the grid holds of each data set. */
  private Map<Long, DatasetUsage.Held> held() {
    Map<UUID, String> hosts =
        ownership.members().stream().collect(Collectors.toMap(Member::id, Member::hostId));
    Map<Long, DatasetUsage.Held> held = new HashMap<>();
    capacity
        .usesOfGrid()
        .forEach(
            (node, uses) ->
                uses.forEach(
                    use ->
                        held.merge(
                            use.dataset(),
                            new DatasetUsage.Held(
                                use.records(),
                                use.bytes(),
                                Set.of(hosts.getOrDefault(node, node.toString())),
                                Set.of(node),
                                Map.of(use.pipeline(), use.records())),
                            DatasetUsage.Held::plus)));
    return held;
  }

  /** Counters and gauges of now. */
  public NodeStats stats() {
    LaneStats laneStats = lane.stats();
    Capacity.Stats moved = capacity.stats();
    return new NodeStats(
        version(),
        settings.grid().resolvedHostId(),
        TimeUnit.NANOSECONDS.toMillis(System.nanoTime() - startNanos),
        notReady().orElse(""),
        watch.stats(),
        certificateExpiries(),
        gridStats(moved),
        memoryStats(),
        diskStats(),
        new NodeStats.Lane(
            laneStats.connections(),
            settings.lane().maxConnections(),
            laneStats.segmentBytes(),
            settings.lane().slots().maxBytes().bytes(),
            laneStats.slotBatches() + laneStats.inlineBatches(),
            laneStats.batchNanos(),
            laneStats.inlineBatches(),
            laneStats.refusals(),
            laneStats.tenants().stream()
                .map(one -> new NodeStats.Tenant(one.name(), one.connections(), one.segmentBytes()))
                .toList()),
        new NodeStats.Peers(
            laneStats.peerSamples(),
            laneStats.peerDamaged(),
            laneStats.peerStale(),
            peers.stats().broken(),
            peers.stats().lateLeases(),
            moved.readsTold(),
            moved.readsUntold(),
            moved.readsHeard()),
        NodeStats.Fills.of(
            fills.stats(),
            settings.fill().maxInFlight().bytes(),
            forwarder.passed(),
            forwarder.dropped()),
        DatasetReport.of(
            settings.grid().resolvedHostId(),
            laneStats.datasets(),
            stopping ? List.of() : capacity.shares(),
            stopping ? List.of() : capacity.uses(),
            stopping ? DatasetReport.Disk.NONE : diskRoom()));
  }

  private String statusJson(Optional<String> onlyOfTenant) {
    NodeStats all = stats();
    return onlyOfTenant.map(all::of).orElse(all).toJson();
  }

  private Map<String, Long> certificateExpiries() {
    Map<String, Long> expiries = new HashMap<>();
    endpoint.certificateExpiry().ifPresent(end -> expiries.put("lane", end.getEpochSecond()));
    gridTls.expiry().ifPresent(end -> expiries.put("grid", end.getEpochSecond()));
    return expiries;
  }

  private DatasetReport.Disk diskRoom() {
    return disk.map(tier -> new DatasetReport.Disk(tier.stats().store().budgetBytes(), tier.uses()))
        .orElse(DatasetReport.Disk.NONE);
  }

  private NodeStats.Grid gridStats(Capacity.Stats moved) {
    OwnershipTable table = ownership.table(0);
    int primaries = 0;
    for (int partition = 0; partition < table.partitions(); partition++) {
      primaries += table.primary(partition).local() ? 1 : 0;
    }
    return new NodeStats.Grid(
        table.topologyVersion(),
        table.members().stream().map(Member::name).toList(),
        table.partitions(),
        primaries,
        stopping ? 0 : moved.partitionsArriving(),
        moved.arrived(),
        moved.arrivedBytes(),
        moved.dropped(),
        moved.reclaimed(),
        moved.reclaimedBytes(),
        gridRefusals.counts());
  }

  private NodeStats.Memory memoryStats() {
    String closed = capacity.admission().closedReason();
    return new NodeStats.Memory(
        stopping ? 0 : usedPages(GridCaches.SAMPLES_REGION) * pageBytes(),
        settings.memory().maxSize().bytes(),
        settings.memory().resolvedHeadroom().bytes(),
        capacity.admission().softCapBytes(),
        closed == null ? "" : closed);
  }

  private NodeStats.Disk diskStats() {
    return disk.map(DiskTier::stats)
        .map(
            stats -> {
              DiskStats store = stats.store();
              return new NodeStats.Disk(
                  store.usedBytes(),
                  store.budgetBytes(),
                  store.records(),
                  store.recordBytes(),
                  stats.hits(),
                  stats.hitBytes(),
                  Map.of(
                      "budget", store.refusedBudget(),
                      "disk_full", store.refusedDiskFull(),
                      "record_too_large", store.refusedTooLarge()),
                  store.damaged(),
                  stats.promoted(),
                  stats.fetched(),
                  stats.reclaimed(),
                  Map.of("sent", stats.copiesSent(), "lost", stats.copiesLost()));
            })
        .orElse(NodeStats.Disk.NONE);
  }

  // Ignite points to its metric registry instead, which has this figure only inside its internals.
  @SuppressWarnings("deprecation")
  private long usedPages(String region) {
    return ignite.dataRegionMetrics(region).getTotalUsedPages();
  }

  private int pageBytes() {
    return ignite.configuration().getDataStorageConfiguration().getPageSize();
  }

  private Optional<String> notReady() {
    return stopping || leaving
        ? Optional.of("the node is stopping")
        : failure()
            .or(lease::trouble)
            .or(() -> recovery == null ? Optional.empty() : recovery.trouble());
  }

  private static String version() {
    String version = CacheNode.class.getPackage().getImplementationVersion();
    return version == null ? "development" : version;
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
    leaving = true;
    synchronized (handOverLock) {
      HandOverReport report = handedOver;
      if (report == null) {
        report =
            new HandOver(peers.localId(), stores, ownership, fills, lane, this::termsOf)
                .run(settings.stop().handOver());
        handedOver = report;
      }
      return report;
    }
  }

  private String drainAsAsked(boolean stop) {
    String json = handOverOnce().toJson();
    stopWanted |= stop;
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
    Ignition.stop(ignite.name(), true);
  }

  /** Ends everything that touches Ignite's memory; runs before Ignite stops. */
  private void drain() {
    stopping = true;
    watch.close();
    // Publishes that wait for other nodes end before the lane waits for them.
    lease.close();
    versions.close();
    membership.close();
    if (recovery != null) {
      recovery.close();
    }
    inquiries.close();
    lane.close();
    forwarder.close();
    peers.close();
    fills.close();
    capacity.close();
    ownership.close();
    stores.drain();
    disk.ifPresent(DiskTier::close);
    endpoint.close();
    closeKept();
  }

  /** Hears Ignite; the node may fail before it is wholly made. */
  private static final class Stopper implements GridListener {
    private volatile @Nullable CacheNode node;
    private volatile @Nullable String failure;
    private final Refusals refusals = new Refusals(RefusalReason.GRID, System::nanoTime, LOG::warn);

    @Override
    public void refused(String from, Throwable told) {
      Throwable why = GridTls.takeRefusal().map(Throwable.class::cast).orElse(told);
      refusals.count(
          RefusalReason.ofTls(why),
          "a node at " + from,
          "TLS: " + String.valueOf(why.getMessage()));
    }

    @Override
    public void memoryFull(String cause) {
      CacheNode current = node;
      if (current != null) {
        current.capacity.admission().close(cause);
      }
    }

    @Override
    public void failed(String cause) {
      failure = cause;
      CacheNode current = node;
      if (current != null) {
        current.failure = cause;
      }
    }

    @Override
    public void stopping() {
      CacheNode current = node;
      if (current != null) {
        current.drain();
      }
    }
  }

  /** Takes over what a running node can. */
  private final class Reloading implements Reloadable {
    private final DatasetAdmin admin;

    Reloading(DatasetAdmin admin) {
      this.admin = admin;
    }

    @Override
    public void useDatasets(Map<String, Settings.Dataset> datasets) {
      lane.useDatasets(datasets);
    }

    @Override
    public Map<String, ? extends Map<String, String>> kept(String dataset) {
      return versions.settingsByTenant(dataset);
    }

    @Override
    public void configure(String tenant, String dataset, Map<String, String> changed) {
      try {
        admin.configure(tenant, dataset, changed);
      } catch (DatasetRefusedException e) {
        if (e.reason() != DatasetRefusedException.Reason.UNKNOWN_DATASET) {
          throw e;
        }
        LOG.debug("Data set \"{}/{}\" was dropped meanwhile.", tenant, dataset, e);
      }
    }

    @Override
    public Optional<String> refusalAtStart(Settings changed) {
      return MemoryPlan.problem(changed);
    }

    @Override
    public boolean reloadTokens() {
      return lane.reloadTokens();
    }

    @Override
    public boolean reloadTls(Tls tls) {
      return switch (tls) {
        case LANE -> endpoint.reloadTls();
        case GRID -> gridTls.reload();
      };
    }
  }

  private final class Observed implements ObservedNode {
    @Override
    public NodeStats stats() {
      return CacheNode.this.stats();
    }

    @Override
    public NodeLatencies latencies() {
      return new NodeLatencies(
          lane.batchLatencies(), fills.latency(), lane.peerReadLatency(), lane.publishLatency());
    }

    @Override
    public Optional<String> notLive() {
      return failure();
    }

    @Override
    public Optional<String> notReady() {
      return CacheNode.this.notReady();
    }
  }
}
