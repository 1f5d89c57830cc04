package io.trainingday.node;

import io.trainingday.config.Settings;
import io.trainingday.node.capacity.Capacity;
import io.trainingday.node.disk.DiskStats;
import io.trainingday.node.lane.LaneServer;
import io.trainingday.node.lane.LaneStats;
import io.trainingday.node.lane.Refusals;
import io.trainingday.node.metrics.NodeLatencies;
import io.trainingday.node.metrics.NodeStats;
import io.trainingday.node.metrics.ObservedNode;
import io.trainingday.node.ownership.Member;
import io.trainingday.node.ownership.OwnershipTable;
import io.trainingday.node.reload.SettingsWatch;
import io.trainingday.node.tier.DiskTier;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.TimeUnit;

/** Puts together what the parts of a node know of how it fares. Changes nothing. */
final class NodeReport implements ObservedNode {
  private final long startNanos;
  private final Settings settings;
  private final NodeCondition condition;
  private final IgniteNode node;
  private final Serving serving;
  private final Storage storage;
  private final LaneServer lane;
  private final SettingsWatch watch;
  private final Refusals gridRefusals;

  /**
   * @param startNanos when the node began to start, as {@link System#nanoTime} said then
   * @param gridRefusals of nodes that wanted to join
   */
  NodeReport(
      long startNanos,
      Settings settings,
      NodeCondition condition,
      IgniteNode node,
      Serving serving,
      Storage storage,
      LaneServer lane,
      SettingsWatch watch,
      Refusals gridRefusals) {
    this.startNanos = startNanos;
    this.settings = settings;
    this.condition = condition;
    this.node = node;
    this.serving = serving;
    this.storage = storage;
    this.lane = lane;
    this.watch = watch;
    this.gridRefusals = gridRefusals;
  }

  @Override
  public NodeStats stats() {
    LaneStats laneStats = lane.stats();
    Capacity.Stats moved = storage.capacity().stats();
    return new NodeStats(
        version(),
        settings.grid().resolvedHostId(),
        TimeUnit.NANOSECONDS.toMillis(System.nanoTime() - startNanos),
        notReady().orElse(""),
        watch.stats(),
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
            laneStats.refusals()),
        new NodeStats.Peers(
            laneStats.peerSamples(),
            laneStats.peerDamaged(),
            laneStats.peerStale(),
            storage.peers().stats().broken(),
            storage.peers().stats().lateLeases(),
            moved.readsTold(),
            moved.readsUntold(),
            moved.readsHeard()),
        NodeStats.Fills.of(
            storage.fills().stats(),
            settings.fill().maxInFlight().bytes(),
            storage.forwarder().passed(),
            storage.forwarder().dropped()),
        DatasetReport.of(
            settings.grid().resolvedHostId(),
            laneStats.datasets(),
            condition.isStopping() ? List.of() : storage.capacity().shares(),
            condition.isStopping() ? List.of() : storage.capacity().uses(),
            condition.isStopping() ? DatasetReport.Disk.NONE : diskRoom()));
  }

  private DatasetReport.Disk diskRoom() {
    return storage
        .disk()
        .map(tier -> new DatasetReport.Disk(tier.stats().store().budgetBytes(), tier.uses()))
        .orElse(DatasetReport.Disk.NONE);
  }

  private NodeStats.Grid gridStats(Capacity.Stats moved) {
    OwnershipTable table = storage.ownership().table(0);
    int primaries = 0;
    for (int partition = 0; partition < table.partitions(); partition++) {
      primaries += table.primary(partition).local() ? 1 : 0;
    }
    return new NodeStats.Grid(
        table.topologyVersion(),
        table.members().stream().map(Member::name).toList(),
        table.partitions(),
        primaries,
        condition.isStopping() ? 0 : moved.partitionsArriving(),
        moved.arrived(),
        moved.arrivedBytes(),
        moved.dropped(),
        moved.reclaimed(),
        moved.reclaimedBytes(),
        gridRefusals.counts());
  }

  private NodeStats.Memory memoryStats() {
    String closed = storage.capacity().admission().closedReason();
    return new NodeStats.Memory(
        condition.isStopping() ? 0 : node.usedSampleBytes(),
        settings.memory().maxSize().bytes(),
        settings.memory().resolvedHeadroom().bytes(),
        storage.capacity().admission().softCapBytes(),
        closed == null ? "" : closed);
  }

  private NodeStats.Disk diskStats() {
    return storage
        .disk()
        .map(DiskTier::stats)
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

  private static String version() {
    String version = CacheNode.class.getPackage().getImplementationVersion();
    return version == null ? "development" : version;
  }

  @Override
  public NodeLatencies latencies() {
    return new NodeLatencies(
        lane.batchLatencies(),
        storage.fills().latency(),
        lane.peerReadLatency(),
        lane.publishLatency());
  }

  @Override
  public Optional<String> notLive() {
    return condition.failure();
  }

  @Override
  public Optional<String> notReady() {
    return condition.notReady().or(serving::trouble);
  }
}
