package io.trainingday.node.tier;

import io.trainingday.config.Settings;
import io.trainingday.grid.BoundedLoadAffinity;
import io.trainingday.grid.SampleKey;
import io.trainingday.node.capacity.Capacity;
import io.trainingday.node.capacity.Room;
import io.trainingday.node.disk.DiskOptions;
import io.trainingday.node.disk.DiskStats;
import io.trainingday.node.disk.DiskStore;
import io.trainingday.node.fill.Elsewhere;
import io.trainingday.node.ownership.Ownership;
import io.trainingday.node.peer.Peers;
import io.trainingday.node.store.RecordSink;
import io.trainingday.node.store.RecordStore;
import io.trainingday.node.store.RecordStore.Kept;
import io.trainingday.node.store.RecordStores;
import io.trainingday.node.versions.VersionKeys;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.LongAdder;
import java.util.function.Consumer;
import org.apache.ignite.Ignite;
import org.jspecify.annotations.Nullable;

/**
 * One cache node's disk tier: the store on its disk, and what keeps it in step with the grid.
 * Opened before the node joins the grid, so that a directory that cannot be used is told at once;
 * does nothing by itself before {@link #start}. All methods may be called from any thread.
 */
public final class DiskTier implements AutoCloseable {
  /** Beside it there is room for what else a node keeps on its disk. */
  private static final String SAMPLES = "samples";

  /** For so long after a refusal for want of room fills are refused without trying. */
  private static final long REST_NANOS = TimeUnit.MILLISECONDS.toNanos(100);

  private final DiskStore store;
  private final int partitions;
  private final long maxInFlightBytes;
  private final int maxRecordBytes;
  private final Useless evictor = new Useless();
  private final LongAdder hits = new LongAdder();
  private final LongAdder hitBytes = new LongAdder();
  private volatile Refused refused = new Refused(Kept.KEPT, System.nanoTime());
  private volatile @Nullable Parts parts;

  /** The last refusal, and until when it is taken to hold. */
  private record Refused(Kept why, long untilNanos) {}

  /** What runs once the node is part of the grid. */
  private record Parts(
      Holdings holdings,
      FormerOwners formerOwners,
      DiskSweeper sweeper,
      DiskCopies copies,
      Promoter promoter) {}

  /**
   * What the disk tier has done since the node's start, and what it holds.
   *
   * @param store of the store itself
   * @param hits records read from disk
   * @param hitBytes of them
   * @param promoted records that were taken into memory because they were read from disk
   * @param fetched records that former owners still had
   * @param reclaimed records dropped because nobody could reach them any more, or because another
   *     node owns them
   * @param copiesSent records that the disks of other nodes took
   * @param copiesLost records that a node which is to hold a copy did not take
   */
  public record Stats(
      DiskStats store,
      long hits,
      long hitBytes,
      long promoted,
      long fetched,
      long reclaimed,
      long copiesSent,
      long copiesLost) {}

  private DiskTier(Settings settings, DiskStoreOpener opener) {
    partitions = settings.grid().partitions();
    maxInFlightBytes = settings.fill().maxInFlight().bytes();
    maxRecordBytes = Math.toIntExact(settings.lane().maxRecordSize().bytes());
    store = opener.open(evictor);
  }

  private interface DiskStoreOpener {
    DiskStore open(DiskOptions.Evictor evictor);
  }

  /**
   * Opens the disk tier that the settings ask for, with what is there.
   *
   * @param policy makes room when nothing useless is left
   * @return empty when they ask for none
   * @throws io.trainingday.node.disk.DiskRefusedException when its directory cannot be used
   */
  public static Optional<DiskTier> open(Settings settings, DiskOptions.Evictor policy) {
    return settings
        .disk()
        .path()
        .map(
            path ->
                new DiskTier(
                    settings,
                    useless ->
                        DiskStore.open(
                            new DiskOptions(
                                path.resolve(SAMPLES),
                                settings.disk().maxSize(),
                                settings.grid().name(),
                                settings.grid().partitions(),
                                bytes -> {
                                  long freed = useless.evict(bytes);
                                  return freed > 0 ? freed : policy.evict(bytes);
                                }))));
  }

  /**
   * Begins to work with the other nodes and to drop what is of no use.
   *
   * @param room in this node's memory
   * @param versions say what may ever be asked for again
   */
  public void start(
      Ignite ignite,
      RecordStores memory,
      Ownership ownership,
      Peers peers,
      Room room,
      VersionKeys versions) {
    Holdings holdings = new Holdings(ignite, ownership, partitions);
    Backfill backfill =
        new Backfill(
            memory,
            store,
            dataset -> versions.settings(dataset).getOrDefault("tier", "").equals("hybrid"),
            maxRecordBytes);
    DiskSweeper sweeper =
        new DiskSweeper(store, memory, ownership, holdings, versions::reach, backfill);
    Parts made =
        new Parts(
            holdings,
            new FormerOwners(ownership, peers, holdings, maxInFlightBytes),
            sweeper,
            new DiskCopies(ownership, peers),
            new Promoter(store, room, peers.localId(), maxRecordBytes));
    parts = made;
    evictor.sweeper = sweeper;
    holdings.start();
    sweeper.start();
  }

  /** Finds what this node lacks on the disks of nodes that owned it before. */
  public Elsewhere formerOwners() {
    return started().formerOwners;
  }

  private Parts started() {
    Parts now = parts;
    if (now == null) {
      throw new IllegalStateException("the disk tier was not started");
    }
    return now;
  }

  /** What is on disk, as {@link Capacity#uses} has it. */
  public List<Capacity.Use> uses() {
    Parts now = parts;
    return now == null ? List.of() : now.sweeper.uses();
  }

  /** Says that versions have changed, so that there may be records nobody can reach any more. */
  public void versionsChanged() {
    Parts now = parts;
    if (now != null) {
      now.sweeper.wake();
    }
  }

  /** Has {@code listener} told of every record that is given up for room; it must be quick. */
  public void onEviction(Consumer<SampleKey> listener) {
    started().sweeper.onEviction(listener);
  }

  /**
   * Shows the records on this disk of one partition, without reading them.
   *
   * @return whether the visitor wanted to see all
   */
  public boolean forEachKey(int partition, RecordStores.KeyVisitor visitor) {
    return store.forEachKey(partition, visitor::visit);
  }

  /** As {@link RecordStore#read}, from this disk alone. */
  public int readRecord(SampleKey key, RecordSink sink) {
    return store.read(key, sink);
  }

  /** Whether a record is on this disk. */
  public boolean holds(SampleKey key) {
    return store.contains(key);
  }

  int read(SampleKey key, RecordSink sink) {
    int length = store.read(key, sink);
    if (length != RecordStore.MISS) {
      hits.increment();
      hitBytes.add(length);
    }
    return length;
  }

  /** A record of a data set that is kept in memory too was found on disk alone. */
  void readFromDisk(RecordStore memory, SampleKey key) {
    Parts now = parts;
    if (now != null) {
      now.promoter.offer(memory, key);
    }
  }

  boolean contains(SampleKey key) {
    return store.contains(key);
  }

  Kept write(SampleKey key, byte[] record) {
    Kept kept =
        switch (store.write(key, record)) {
          case STORED -> Kept.KEPT;
          case BUDGET_FULL -> Kept.NO_ROOM;
          case DISK_FULL -> Kept.DISK_FULL;
          case TOO_LARGE -> Kept.TOO_LARGE;
          case CLOSED -> Kept.CLOSED;
        };
    Parts now = parts;
    if (kept == Kept.KEPT && now != null) {
      now.holdings.stored(BoundedLoadAffinity.partition(key.index(), partitions));
    } else if (kept == Kept.NO_ROOM || kept == Kept.DISK_FULL) {
      refused = new Refused(kept, System.nanoTime() + REST_NANOS);
    }
    return kept;
  }

  Kept room() {
    Refused last = refused;
    return last.untilNanos - System.nanoTime() > 0 ? last.why : Kept.KEPT;
  }

  void sendCopies(RecordStore of, SampleKey key, byte[] record) {
    Parts now = parts;
    if (now != null) {
      now.copies.send(of, key, record);
    }
  }

  boolean removeDamaged(SampleKey key) {
    return store.removeDamaged(key);
  }

  /** Figures of now. */
  public Stats stats() {
    Parts now = parts;
    return new Stats(
        store.stats(),
        hits.sum(),
        hitBytes.sum(),
        now == null ? 0 : now.promoter.promoted(),
        now == null ? 0 : now.formerOwners.fetched(),
        now == null ? 0 : now.sweeper.reclaimed(),
        now == null ? 0 : now.copies.sent(),
        now == null ? 0 : now.copies.lost());
  }

  /** Ends all work; when this returns nobody reads or writes. Safe to call again. */
  @Override
  public void close() {
    Parts now = parts;
    if (now != null) {
      now.formerOwners.close();
      now.promoter.close();
      now.sweeper.close();
      now.holdings.close();
    }
    store.close();
  }

  /** Makes room by dropping what is of no use. */
  private static final class Useless implements DiskOptions.Evictor {
    private volatile @Nullable DiskSweeper sweeper;

    @Override
    public long evict(long bytes) {
      DiskSweeper now = sweeper;
      return now == null ? 0 : now.makeRoom(bytes);
    }
  }
}
