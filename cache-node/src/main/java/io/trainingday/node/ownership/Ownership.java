package io.trainingday.node.ownership;

import io.trainingday.grid.GridCaches;
import io.trainingday.grid.NodeAttributes;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.UUID;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import org.apache.ignite.Ignite;
import org.apache.ignite.cache.affinity.Affinity;
import org.apache.ignite.cluster.ClusterNode;

/** The ownership tables of a node's grid, kept up to date. */
public final class Ownership implements AutoCloseable {
  private static final int VERSION_SHIFT = 24;
  private static final long VERSION_MASK = (1L << VERSION_SHIFT) - 1;

  private final Ignite ignite;
  private final List<Runnable> listeners = new CopyOnWriteArrayList<>();
  private final ScheduledExecutorService thread;
  private final int maxBackups;
  private volatile List<OwnershipTable> tables;

  /**
   * @param maxBackups tables are kept for every number of backups up to this one
   */
  public Ownership(Ignite ignite, int maxBackups) {
    this.ignite = ignite;
    this.maxBackups = maxBackups;
    tables = build();
    thread =
        Executors.newSingleThreadScheduledExecutor(
            task -> new Thread(task, "training-day-ownership"));
    Future<?> unused = thread.scheduleWithFixedDelay(this::refresh, 1, 1, TimeUnit.SECONDS);
  }

  /** The table of now for a number of backups: one volatile read. */
  public OwnershipTable table(int backups) {
    return tables.get(backups);
  }

  /** The nodes of the grid. */
  public List<Member> members() {
    return tables.get(0).members();
  }

  /** Calls {@code listener} after new tables are there, on a thread of ours: it must be quick. */
  public void onChange(Runnable listener) {
    listeners.add(listener);
  }

  @Override
  public void close() {
    thread.shutdownNow();
  }

  private void refresh() {
    List<OwnershipTable> fresh = build();
    if (fresh.get(0).topologyVersion() != tables.get(0).topologyVersion()) {
      tables = fresh;
      listeners.forEach(Runnable::run);
    }
  }

  private List<OwnershipTable> build() {
    long topology = ignite.cluster().topologyVersion();
    Map<UUID, Member> members = new HashMap<>();
    List<Member> ordered = new ArrayList<>();
    for (ClusterNode node : ignite.cluster().forServers().nodes()) {
      Member member = member(node);
      members.put(node.id(), member);
      ordered.add(member);
    }
    List<List<List<Member>>> all = new ArrayList<>();
    for (int backups = 0; backups <= maxBackups; backups++) {
      Affinity<Object> affinity = ignite.affinity(GridCaches.samples(backups));
      List<List<Member>> copies = new ArrayList<>();
      for (int partition = 0; partition < affinity.partitions(); partition++) {
        Collection<ClusterNode> nodes = affinity.mapPartitionToPrimaryAndBackups(partition);
        copies.add(
            nodes.stream()
                .map(node -> members.computeIfAbsent(node.id(), id -> member(node)))
                .toList());
      }
      all.add(copies);
    }
    // Ignite moves partitions within one topology version, too: what they hold tells such apart.
    int content = all.stream().flatMap(List::stream).map(Ownership::names).toList().hashCode();
    long version = (topology << VERSION_SHIFT) | (content & VERSION_MASK);
    return all.stream().map(copies -> new OwnershipTable(version, ordered, copies)).toList();
  }

  private static List<String> names(List<Member> copies) {
    return copies.stream().map(Member::name).toList();
  }

  private static Member member(ClusterNode node) {
    Long budget = node.attribute(NodeAttributes.BUDGET_BYTES);
    String hostId = node.attribute(NodeAttributes.HOST_ID);
    return new Member(
        node.id(),
        node.consistentId().toString(),
        hostId == null ? "" : hostId,
        Optional.ofNullable(node.attribute(NodeAttributes.LANE)),
        budget == null ? 0 : budget,
        node.isLocal());
  }
}
