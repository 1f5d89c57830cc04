package io.trainingday.node.tier;

import io.trainingday.grid.GridCaches;
import io.trainingday.grid.SampleKey;
import io.trainingday.node.background.Worker;
import io.trainingday.node.capacity.Capacity;
import io.trainingday.node.disk.DiskStore;
import io.trainingday.node.ownership.Ownership;
import io.trainingday.node.ownership.OwnershipTable;
import io.trainingday.node.store.RecordStores;
import io.trainingday.node.store.RecordStores.Held;
import io.trainingday.node.versions.VersionKeys.Reach;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.LongAdder;
import java.util.function.Consumer;
import java.util.function.Function;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Goes through the keys on this node's disk in the background, again and again, and drops what is
 * of no use. After partitions have moved it sees to it first that what came to memory is on disk,
 * too.
 *
 * <p>What is of no use, {@link Usefulness} says.
 */
final class DiskSweeper implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(DiskSweeper.class);

  private static final int KEYS_BETWEEN_PAUSES = 128;
  private static final int PAUSE_PER_WORK = 19;
  private static final int PAUSE_PER_WORK_WHEN_WOKEN = 4;
  private static final long NANOS_BETWEEN_PASSES = TimeUnit.SECONDS.toNanos(30);
  private static final long NANOS_BETWEEN_SEARCHES_FOR_ROOM = TimeUnit.SECONDS.toNanos(10);

  private final DiskStore store;
  private final RecordStores memory;
  private final Ownership ownership;
  private final Usefulness usefulness;
  private final Holdings holdings;
  private final Backfill backfill;
  private final LongAdder reclaimed = new LongAdder();
  private final Worker worker = new Worker("disk-sweeper", NANOS_BETWEEN_PASSES, this::work);
  private volatile Consumer<SampleKey> evicted = unused -> {};
  private volatile boolean moved = true;
  private boolean countedAtStart;
  private volatile long searchedForRoomNanos;
  private volatile boolean foundNoRoom;
  private volatile List<Capacity.Use> uses = List.of();

  DiskSweeper(
      DiskStore store,
      RecordStores memory,
      Ownership ownership,
      Holdings holdings,
      Function<SampleKey, Reach> reach,
      Backfill backfill) {
    this.store = store;
    this.memory = memory;
    this.ownership = ownership;
    this.holdings = holdings;
    this.backfill = backfill;
    this.usefulness =
        new Usefulness(reach, ownership.table(0).partitions(), this::held, System::nanoTime);
  }

  /** The partitions that are this node's, or will be once they have arrived. */
  private BitSet held() {
    BitSet held = new BitSet();
    for (int backups = 0; backups <= GridCaches.MAX_BACKUPS; backups++) {
      OwnershipTable table = ownership.table(backups);
      for (int partition = 0; partition < table.partitions(); partition++) {
        held.set(partition, held.get(partition) || table.isLocal(partition));
      }
      memory.partitions(backups, Held.ARRIVING).forEach(held::set);
    }
    return held;
  }

  void start() {
    ownership.onChange(
        () -> {
          usefulness.ownersChanged();
          moved = true;
          wake();
        });
    worker.start();
  }

  /** Says that records may have become unreachable. */
  void wake() {
    foundNoRoom = false;
    worker.wake();
  }

  /** Records dropped since the start. */
  long reclaimed() {
    return reclaimed.sum();
  }

  /** What the last walk over all keys counted, by data set and pipeline. */
  List<Capacity.Use> uses() {
    return uses;
  }

  private void work(boolean woken) {
    if (!countedAtStart) {
      countedAtStart = true;
      count();
      return;
    }
    int pausePerWork = woken ? PAUSE_PER_WORK_WHEN_WOKEN : PAUSE_PER_WORK;
    fillUp(pausePerWork);
    sweep(pausePerWork);
  }

  /** What came to memory with its partition is to be on disk as well. */
  private void fillUp(int pausePerWork) {
    if (!moved) {
      return;
    }
    moved = false;
    try {
      Pauses pauses = new Pauses(pausePerWork);
      backfill.run(
          () -> {
            pauses.pause();
            return !worker.isClosed();
          });
    } catch (RuntimeException failure) {
      // What was not written is written after the next move.
      LOG.warn("Writing down what is in memory ended early", failure);
    }
  }

  /** Tells at once what is there after a start: other nodes may lack it. */
  private void count() {
    try {
      countWhatIsThere();
    } catch (RuntimeException failure) {
      LOG.warn("What is on disk is not known to the other nodes yet", failure);
    }
  }

  private void countWhatIsThere() {
    holdings.countingBegins();
    Count count = new Count();
    boolean all =
        store.forEachKey(
            (key, recordBytes) -> {
              count.add(key, recordBytes);
              return !worker.isClosed();
            });
    if (all) {
      count.tell();
    }
  }

  private void sweep(int pausePerWork) {
    try {
      holdings.countingBegins();
      Count count = new Count();
      Pauses pauses = new Pauses(pausePerWork);
      boolean all =
          store.forEachKey(
              (key, recordBytes) -> {
                if (usefulness.isOfNoUse(key)) {
                  reclaim(key);
                } else {
                  count.add(key, recordBytes);
                }
                pauses.pause();
                return !worker.isClosed();
              });
      if (all) {
        count.tell();
      }
    } catch (RuntimeException failure) {
      // The versions cannot be asked just now. What was not swept is swept the next time.
      LOG.warn("Sweeping the disk ended early", failure);
    }
  }

  void onEviction(Consumer<SampleKey> listener) {
    evicted = listener;
  }

  private boolean reclaim(SampleKey key) {
    boolean removed = store.remove(key);
    if (removed) {
      reclaimed.increment();
    }
    return removed;
  }

  /**
   * Drops what is of little use until so many bytes are gone.
   *
   * @return bytes dropped
   */
  long makeRoom(long bytes) {
    long now = System.nanoTime();
    if (worker.isClosed()
        || (foundNoRoom && now - searchedForRoomNanos < NANOS_BETWEEN_SEARCHES_FOR_ROOM)) {
      return 0;
    }
    long[] freed = {0};
    store.forEachKey(
        (key, recordBytes) -> {
          if (usefulness.isOfLittleUse(key) && reclaim(key)) {
            evicted.accept(key);
            freed[0] += recordBytes;
          }
          return !worker.isClosed() && freed[0] < bytes;
        });
    foundNoRoom = freed[0] == 0;
    searchedForRoomNanos = System.nanoTime();
    return freed[0];
  }

  @Override
  public void close() {
    worker.close();
  }

  private record Pair(long dataset, long pipeline) {}

  /** What one walk finds. */
  private final class Count {
    private final BitSet partitions = new BitSet();
    private final Map<Pair, long[]> recordsAndBytes = new HashMap<>();

    void add(SampleKey key, int recordBytes) {
      partitions.set(usefulness.partition(key));
      long[] sums =
          recordsAndBytes.computeIfAbsent(
              new Pair(key.dataset(), key.pipeline()), unused -> new long[2]);
      sums[0]++;
      sums[1] += recordBytes;
    }

    void tell() {
      holdings.counted(partitions);
      List<Capacity.Use> counted = new ArrayList<>();
      recordsAndBytes.forEach(
          (pair, sums) ->
              counted.add(new Capacity.Use(pair.dataset, pair.pipeline, sums[0], sums[1])));
      uses = List.copyOf(counted);
    }
  }

  /** Leaves the processor to others most of the time. */
  private final class Pauses {
    private final int pausePerWork;
    private int keys;
    private long workBegan = System.nanoTime();

    Pauses(int pausePerWork) {
      this.pausePerWork = pausePerWork;
    }

    void pause() {
      if (++keys == KEYS_BETWEEN_PAUSES) {
        keys = 0;
        worker.pause((System.nanoTime() - workBegan) * pausePerWork);
        workBegan = System.nanoTime();
      }
    }
  }
}
