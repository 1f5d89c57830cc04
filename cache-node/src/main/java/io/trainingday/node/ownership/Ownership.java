package io.trainingday.node.ownership;

import io.trainingday.grid.GridCaches;
import io.trainingday.grid.NodeAttributes;
import io.trainingday.node.store.RecordStores;
import io.trainingday.node.store.RecordStores.Placement;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.UUID;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import org.apache.ignite.Ignite;
import org.apache.ignite.cluster.ClusterNode;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The ownership tables of a node's grid, kept up to date. Ignite tells of joins and departures, but
 * not of partitions that have arrived; a look costs nothing while nothing has changed.
 */
public final class Ownership implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(Ownership.class);

  private static final long LOOK_MILLIS = 50;
  private static final long FIRST_LOOK_NANOS = TimeUnit.MILLISECONDS.toNanos(1);
  private static final long FIRST_NANOS = TimeUnit.SECONDS.toNanos(10);
  private static final int MINOR_BITS = 20;

  private final Ignite ignite;
  private final RecordStores stores;
  private final List<Runnable> listeners = new CopyOnWriteArrayList<>();
  private final ScheduledExecutorService thread;
  private @Nullable Placement seen;
  private volatile List<OwnershipTable> tables;

  public Ownership(Ignite ignite, RecordStores stores) {
    this.ignite = ignite;
    this.stores = stores;
    tables = first();
    thread =
        Executors.newSingleThreadScheduledExecutor(
            task -> {
              Thread created = new Thread(task, "training-day-ownership");
              created.setDaemon(true);
              return created;
            });
    Future<?> unused =
        thread.scheduleWithFixedDelay(this::look, LOOK_MILLIS, LOOK_MILLIS, TimeUnit.MILLISECONDS);
  }

  /** The table of now for a number of backups: one volatile read. */
  public OwnershipTable table(int backups) {
    return tables.get(backups);
  }

  /** The nodes of the grid. */
  public List<Member> members() {
    return tables.get(0).members();
  }

  /** The newest format of records that all nodes of the grid read: what may be stored now. */
  public int recordFormat() {
    return tables.get(0).recordFormat();
  }

  /** Calls {@code listener} after new tables are there, on a thread of ours: it must be quick. */
  public void onChange(Runnable listener) {
    listeners.add(listener);
  }

  @Override
  public void close() {
    thread.shutdownNow();
  }

  private List<OwnershipTable> first() {
    long deadline = System.nanoTime() + FIRST_NANOS;
    while (true) {
      Optional<Placement> placement = stores.placement();
      if (placement.isPresent()) {
        try {
          List<OwnershipTable> built = build(placement.get());
          seen = placement.get();
          return built;
        } catch (IllegalArgumentException left) {
          // A node left between two looks at the grid.
          if (System.nanoTime() - deadline > 0) {
            throw left;
          }
        }
      } else if (System.nanoTime() - deadline > 0) {
        throw new IllegalStateException("the grid's placement does not settle");
      }
      LockSupport.parkNanos(FIRST_LOOK_NANOS);
    }
  }

  /** Looks now, on the calling thread: some milliseconds when something has changed. */
  public synchronized void look() {
    try {
      Placement now = stores.placement().orElse(null);
      if (now != null && !now.equals(seen)) {
        tables = build(now);
        seen = now;
        listeners.forEach(Runnable::run);
      }
    } catch (RuntimeException failure) {
      // A node left meanwhile, or this one is stopping: the next look is due in a moment.
      LOG.debug("could not look at the grid", failure);
    }
  }

  private List<OwnershipTable> build(Placement placement) {
    Map<UUID, Member> members = new HashMap<>();
    List<Member> ordered = new ArrayList<>();
    for (ClusterNode node : ignite.cluster().topology(placement.topology())) {
      if (!node.isClient()) {
        Member member = member(node);
        members.put(node.id(), member);
        ordered.add(member);
      }
    }
    long version = placement.topology() << MINOR_BITS | placement.minor();
    List<OwnershipTable> built = new ArrayList<>();
    for (int backups = 0; backups <= GridCaches.MAX_BACKUPS; backups++) {
      List<List<Member>> copies = new ArrayList<>();
      for (int partition = 0; partition < stores.partitions(); partition++) {
        copies.add(
            stores.holders(backups, partition).stream()
                .map(members::get)
                .filter(Objects::nonNull)
                .toList());
      }
      built.add(new OwnershipTable(version, ordered, copies));
    }
    return built;
  }

  private static Member member(ClusterNode node) {
    Long budget = node.attribute(NodeAttributes.BUDGET_BYTES);
    String hostId = node.attribute(NodeAttributes.HOST_ID);
    Integer format = node.attribute(NodeAttributes.RECORD_FORMAT);
    return new Member(
        node.id(),
        node.consistentId().toString(),
        hostId == null ? "" : hostId,
        Optional.ofNullable(node.attribute(NodeAttributes.LANE)),
        budget == null ? 0 : budget,
        format == null ? 1 : format,
        node.isLocal());
  }
}
