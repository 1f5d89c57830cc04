package io.trainingday.node;

import io.trainingday.config.SettingKey;
import io.trainingday.config.Settings;
import io.trainingday.grid.GridCaches;
import io.trainingday.node.capacity.Capacity;
import io.trainingday.node.capacity.DatasetTerms;
import io.trainingday.node.fill.Elsewhere;
import io.trainingday.node.fill.FillLimits;
import io.trainingday.node.fill.Fills;
import io.trainingday.node.ownership.Member;
import io.trainingday.node.ownership.Ownership;
import io.trainingday.node.peer.FillForwarder;
import io.trainingday.node.peer.Peers;
import io.trainingday.node.store.RecordStores;
import io.trainingday.node.tier.DiskTier;
import io.trainingday.node.tier.TieredStores;
import io.trainingday.node.traces.Fate;
import io.trainingday.node.traces.Traces;
import io.trainingday.node.versions.DatasetSettings;
import io.trainingday.node.versions.DatasetUsage;
import io.trainingday.node.versions.VersionKeys;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.SortedMap;
import java.util.UUID;
import java.util.stream.Collectors;

/** Where a node's records are, and how they come there: memory, disk, other nodes, fills. */
final class Storage implements AutoCloseable {
  private final RecordStores stores;
  private final Ownership ownership;
  private final Peers peers;
  private final VersionKeys versions;
  private final Optional<DiskTier> disk;
  private final Capacity capacity;
  private final Traces traces;
  private final Fills fills;
  private final FillForwarder forwarder;
  private boolean closed; // Guarded by this.

  /**
   * @param stores of the node's memory; drained by {@link #close}, which closes what else is given
   *     but the version keys
   */
  Storage(
      Settings settings,
      IgniteNode node,
      RecordStores stores,
      Ownership ownership,
      Peers peers,
      VersionKeys versions,
      Optional<DiskTier> disk) {
    this.stores = stores;
    this.ownership = ownership;
    this.peers = peers;
    this.versions = versions;
    this.disk = disk;
    capacity =
        Capacity.start(
            node.ignite(), stores, ownership, settings, versions::isReachable, this::termsOf);
    disk.ifPresent(
        tier -> {
          capacity.countDisk(tier::uses);
          tier.start(node.ignite(), stores, ownership, peers, capacity.room(), versions);
        });
    versions.onPublish(
        () -> {
          capacity.versionsChanged();
          disk.ifPresent(DiskTier::versionsChanged);
        });
    traces = new Traces(ownership, GridCaches.MAX_BACKUPS);
    capacity.onEviction(key -> traces.note(key, Fate.EVICTED));
    disk.ifPresent(tier -> tier.onEviction(key -> traces.note(key, Fate.EVICTED)));
    fills =
        new Fills(
            FillLimits.of(
                settings.fill().leaseTimeout(),
                settings.fill().maxInFlight().bytes(),
                settings.fill().writers()),
            capacity.room(),
            disk.map(DiskTier::formerOwners).orElse(Elsewhere.nowhere()),
            traces);
    forwarder = new FillForwarder(ownership, peers, fills, settings.fill().leaseTimeout(), traces);
  }

  RecordStores stores() {
    return stores;
  }

  /** Memory first, the disk behind it. */
  TieredStores tieredStores() {
    return new TieredStores(stores, disk);
  }

  Ownership ownership() {
    return ownership;
  }

  Peers peers() {
    return peers;
  }

  Optional<DiskTier> disk() {
    return disk;
  }

  Capacity capacity() {
    return capacity;
  }

  Traces traces() {
    return traces;
  }

  Fills fills() {
    return fills;
  }

  FillForwarder forwarder() {
    return forwarder;
  }

  /** How a data set is to be kept; empty when there is no such data set. */
  Optional<DatasetTerms> termsOf(long dataset) {
    return versions.kept(dataset).map(Storage::terms);
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

  /** What the grid holds of each data set. */
  Map<Long, DatasetUsage.Held> held() {
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

  /**
   * Ends everything that touches Ignite's memory, and the disk tier. Safe to call again; returns
   * when it is done, whoever began it.
   */
  @Override
  public synchronized void close() {
    if (closed) {
      return;
    }
    closed = true;
    forwarder.close();
    peers.close();
    fills.close();
    capacity.close();
    ownership.close();
    stores.drain();
    disk.ifPresent(DiskTier::close);
  }
}
