package io.trainingday.node.store;

import io.trainingday.node.store.RecordStores.Held;
import io.trainingday.node.store.RecordStores.Placement;
import java.util.ArrayList;
import java.util.List;
import java.util.UUID;
import org.apache.ignite.Ignite;
import org.apache.ignite.cluster.ClusterNode;
import org.apache.ignite.internal.IgniteEx;
import org.apache.ignite.internal.pagemem.PageMemory;
import org.apache.ignite.internal.processors.affinity.AffinityTopologyVersion;
import org.apache.ignite.internal.processors.affinity.IdealAffinityAssignment;
import org.apache.ignite.internal.processors.cache.CacheGroupContext;
import org.apache.ignite.internal.processors.cache.GridCacheContext;
import org.apache.ignite.internal.processors.cache.GridCacheGateway;
import org.apache.ignite.internal.processors.cache.IgniteInternalCache;
import org.apache.ignite.internal.processors.cache.distributed.dht.topology.GridDhtLocalPartition;
import org.apache.ignite.internal.processors.cache.distributed.dht.topology.GridDhtPartitionState;
import org.apache.ignite.internal.processors.cache.distributed.dht.topology.GridDhtPartitionTopology;

/**
 * One cache of this node as Ignite's internals have it, those of 2.18.0: its pages and the state of
 * its partitions. With {@link PageReader}, {@link KeyScan} and {@link RowWalk} all that is known of
 * them.
 */
final class CacheInternals {
  final GridCacheContext<?, ?> cache;
  final GridCacheGateway<?, ?> gateway;
  final GridDhtPartitionTopology topology;
  final PageMemory pages;
  final int groupId;
  final int usablePageBytes;

  /** What a search for a row names the cache by. */
  final int searchCacheId;

  /** Bytes before a row's key. */
  final int rowPrefixBytes;

  private final CacheGroupContext group;

  /**
   * @throws IllegalArgumentException when the node has no such cache, or its region is persistent
   */
  CacheInternals(Ignite ignite, String cacheName) {
    IgniteInternalCache<?, ?> internal = ((IgniteEx) ignite).cachex(cacheName);
    if (internal == null) {
      throw new IllegalArgumentException("no cache " + cacheName + " on node " + ignite.name());
    }
    cache = internal.context();
    group = cache.group();
    if (group.persistenceEnabled()) {
      throw new IllegalArgumentException(
          "cache %s is persistent, the data region of samples must be in memory alone"
              .formatted(cacheName));
    }
    gateway = cache.gate();
    topology = group.topology();
    pages = group.dataRegion().pageMemory();
    groupId = group.groupId();
    usablePageBytes = pages.realPageSize(groupId);
    searchCacheId = group.sharedGroup() ? cache.cacheId() : 0;
    rowPrefixBytes = group.storeCacheIdInDataPage() ? Integer.BYTES : 0;
  }

  int partitions() {
    return group.affinity().partitions();
  }

  /** How this node holds {@code partition} now. */
  Held held(int partition) {
    GridDhtLocalPartition local = topology.localPartition(partition);
    return local == null ? Held.ABSENT : held(local);
  }

  /** The partitions this node holds in one way. */
  List<Integer> partitions(Held held) {
    List<Integer> found = new ArrayList<>();
    for (GridDhtLocalPartition local : topology.currentLocalPartitions()) {
      if (held(local) == held) {
        found.add(local.id());
      }
    }
    return found;
  }

  /** Whether this node holds all of {@code partition} now, as its primary or as a backup. */
  boolean isWhole(int partition) {
    GridDhtLocalPartition local = topology.localPartition(partition);
    return local != null && local.state() == GridDhtPartitionState.OWNING;
  }

  private Held held(GridDhtLocalPartition local) {
    return switch (local.state()) {
      case OWNING -> isLocalFirst(assigned(local.id())) ? Held.PRIMARY : Held.BACKUP;
      case MOVING -> Held.ARRIVING;
      case RENTING -> Held.LEAVING;
      case EVICTED, LOST -> Held.ABSENT;
    };
  }

  /** How many records this node holds of {@code partition}, in whatever state it is. */
  long records(int partition) {
    GridDhtLocalPartition local = topology.localPartition(partition);
    return local == null ? 0 : local.fullSize();
  }

  /**
   * How many records the nodes that hold all of {@code partition} had when a node joined last; 0
   * where nobody has told. Ignite passes the numbers on when nodes join, not when they leave.
   */
  long recordsInGrid(int partition) {
    Long records = topology.globalPartSizes().get(partition);
    return records == null ? 0 : records;
  }

  /** Whether this node becomes the primary of {@code partition} once all has arrived. */
  boolean isPrimaryInTheEnd(int partition) {
    IdealAffinityAssignment ideal = group.affinity().idealAssignment();
    return ideal != null && isLocalFirst(ideal.assignment().get(partition));
  }

  private boolean isLocalFirst(List<ClusterNode> nodes) {
    return !nodes.isEmpty() && nodes.get(0).isLocal();
  }

  private List<ClusterNode> assigned(int partition) {
    return group.affinity().cachedAffinity(topology.readyTopologyVersion()).get(partition);
  }

  /**
   * The nodes on which a write to {@code partition} would be stored now, its primary first: those
   * that hold it and those it is arriving at.
   */
  List<UUID> targets(int partition) {
    AffinityTopologyVersion version = topology.readyTopologyVersion();
    List<UUID> targets = new ArrayList<>();
    for (ClusterNode node : topology.nodes(partition, version)) {
      // Ignite sends to nodes that are clearing the partition too, and they throw it away.
      if (topology.partitionState(node.id(), partition) != GridDhtPartitionState.RENTING) {
        targets.add(node.id());
      }
    }
    return targets;
  }

  /** The placement that is in force for this cache. */
  Placement placement() {
    AffinityTopologyVersion version = topology.readyTopologyVersion();
    return new Placement(
        version.topologyVersion(), version.minorTopologyVersion(), topology.updateSequence());
  }

  /** The nodes that hold all of {@code partition}, its primary first, as far as is known here. */
  List<UUID> holders(int partition) {
    List<UUID> holders = new ArrayList<>();
    for (ClusterNode node : topology.nodes(partition, topology.readyTopologyVersion())) {
      // The primary takes writes whatever it has got, so it is asked first all the same.
      if (holders.isEmpty()
          || topology.partitionState(node.id(), partition) == GridDhtPartitionState.OWNING) {
        holders.add(node.id());
      }
    }
    return holders;
  }
}
