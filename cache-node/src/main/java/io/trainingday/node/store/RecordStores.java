package io.trainingday.node.store;

import io.trainingday.grid.GridCaches;
import io.trainingday.grid.SampleKey;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.UUID;
import java.util.function.BiFunction;
import org.apache.ignite.Ignite;

/**
 * The stores of one cache node, one for each number of backups. A data set lives in the one of its
 * number.
 */
public final class RecordStores {
  /** How this node holds a partition. */
  public enum Held {
    /** Whole, and this node is its primary. */
    PRIMARY,
    /** Whole, and another node is its primary. */
    BACKUP,
    /** This node is to hold it and has not got all of it yet; it is written to already. */
    ARRIVING,
    /** It went to other nodes and is being cleared. */
    LEAVING,
    /** Not at all. */
    ABSENT
  }

  /**
   * A state of the grid's placement. Equal on all nodes, but for {@code changes}.
   *
   * @param topology how often nodes came or went
   * @param minor how often partitions went from one to another since
   * @param changes grows with whatever this node learns about who holds what
   */
  public record Placement(long topology, int minor, long changes) {}

  /** Is shown records without their bytes. */
  @FunctionalInterface
  public interface KeyVisitor {
    /** Returns whether to go on. Called with no lock held; may take its time, write and drop. */
    boolean visit(SampleKey key, int recordBytes);
  }

  private final List<IgniteRecordStore> stores;

  private RecordStores(List<IgniteRecordStore> stores) {
    this.stores = List.copyOf(stores);
  }

  /**
   * Stores that copy straight from Ignite's pages to the sink.
   *
   * @throws IllegalArgumentException when the node lacks a cache of samples, or their data region
   *     is persistent
   */
  public static RecordStores withPageReader(Ignite ignite) {
    return open(ignite, IgniteRecordStore::withPageReader);
  }

  /**
   * Stores that read through Ignite's public interface, which copies to the heap in between.
   *
   * @throws IllegalArgumentException when the node lacks a cache of samples
   */
  public static RecordStores withPublicReader(Ignite ignite) {
    return open(ignite, IgniteRecordStore::withPublicReader);
  }

  private static RecordStores open(
      Ignite ignite, BiFunction<Ignite, Integer, IgniteRecordStore> storeOfBackups) {
    List<IgniteRecordStore> stores = new ArrayList<>();
    for (int backups = 0; backups <= GridCaches.MAX_BACKUPS; backups++) {
      stores.add(storeOfBackups.apply(ignite, backups));
    }
    return new RecordStores(stores);
  }

  /**
   * The store of the samples that are kept on so many nodes beside their primary.
   *
   * @param backups 0 to {@link GridCaches#MAX_BACKUPS}
   */
  public RecordStore of(int backups) {
    return stores.get(backups);
  }

  /** How many partitions there are, for each number of backups. */
  public int partitions() {
    return stores.get(0).internals().partitions();
  }

  /** The partitions that this node holds in one way. */
  public List<Integer> partitions(int backups, Held held) {
    return stores.get(backups).internals().partitions(held);
  }

  /** The partitions that this node holds all of, as their primary or not. */
  public List<Integer> wholePartitions(int backups) {
    List<Integer> whole = new ArrayList<>(partitions(backups, Held.PRIMARY));
    whole.addAll(partitions(backups, Held.BACKUP));
    return whole;
  }

  /** How many records this node holds of a partition, however it holds it. */
  public long records(int backups, int partition) {
    return stores.get(backups).internals().records(partition);
  }

  /**
   * How many records of a partition the nodes that hold all of it had when a node joined last; 0
   * where nobody has told.
   */
  public long recordsInGrid(int backups, int partition) {
    return stores.get(backups).internals().recordsInGrid(partition);
  }

  /** Whether this node will be the primary of a partition once everything has arrived. */
  public boolean isPrimaryInTheEnd(int backups, int partition) {
    return stores.get(backups).internals().isPrimaryInTheEnd(partition);
  }

  /**
   * Which placement is in force, the same for all numbers of backups; empty while some of them have
   * gone over to the next one and others not yet. Takes no lock.
   */
  public Optional<Placement> placement() {
    Placement common = stores.get(0).internals().placement();
    for (IgniteRecordStore store : stores.subList(1, stores.size())) {
      Placement next = store.internals().placement();
      if (next.topology() != common.topology() || next.minor() != common.minor()) {
        return Optional.empty();
      }
      common = new Placement(next.topology(), next.minor(), common.changes() + next.changes());
    }
    return Optional.of(common);
  }

  /**
   * The nodes that hold all of a partition, its primary first, as far as this node knows. Others
   * may know it some milliseconds earlier or later, but for the primary, which the placement says.
   */
  public List<UUID> holders(int backups, int partition) {
    return stores.get(backups).internals().holders(partition);
  }

  /**
   * Shows all records that this node holds of one partition, without reading them: a few
   * microseconds each. A record that is there all the time is shown exactly once, one that comes or
   * goes meanwhile at most once. Ends early when the partition leaves this node, and when the
   * stores are drained.
   *
   * @return whether the visitor wanted to see all
   */
  public boolean forEachKey(int backups, int partition, KeyVisitor visitor) {
    return stores.get(backups).forEachKey(partition, visitor);
  }

  /**
   * Removes this node's copy of a record. Other nodes keep theirs, so the copies may differ after:
   * one of them is enough to be read, and none to be right.
   */
  public void drop(int backups, SampleKey key) {
    stores.get(backups).drop(key);
  }

  /** Drains all, see {@link RecordStore#drain}. */
  public void drain() {
    stores.forEach(RecordStore::drain);
  }
}
