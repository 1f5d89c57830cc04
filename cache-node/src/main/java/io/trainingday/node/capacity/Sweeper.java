package io.trainingday.node.capacity;

import io.trainingday.grid.GridCaches;
import io.trainingday.grid.SampleKey;
import io.trainingday.node.background.Worker;
import io.trainingday.node.store.RecordStores;
import io.trainingday.node.store.RecordStores.Held;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.LongAdder;
import java.util.function.Predicate;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Goes through the keys of this node's records in the background, again and again: drops those that
 * nobody can reach any more and counts the others.
 *
 * <p>Every node drops its own copies, be it their primary or not. So nothing is sent, copies whose
 * primary has been lost go too, and a record that rebalancing brings back is dropped again.
 *
 * <p>A few keys at a time, with pauses: about a fifth of one core after something became
 * unreachable, a twentieth otherwise.
 */
final class Sweeper implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(Sweeper.class);

  private static final int KEYS_BETWEEN_PAUSES = 128;
  private static final int PAUSE_PER_WORK = 19;
  private static final int PAUSE_PER_WORK_WHEN_WOKEN = 4;
  private static final long NANOS_BETWEEN_PASSES = 30_000_000_000L;

  /** Records counted. */
  static final class Tally {
    private long records;
    private long bytes;

    long records() {
      return records;
    }

    long bytes() {
      return bytes;
    }

    private void add(int recordBytes) {
      records++;
      bytes += recordBytes;
    }
  }

  private static final Tally NOTHING = new Tally();

  private record Pair(long dataset, long pipeline) {}

  /** What one pass counted. */
  private static final class Counted {
    final Map<Pair, Tally> byPair = new HashMap<>();
    final Map<Long, Tally> copies = new HashMap<>();
  }

  private final RecordStores stores;
  private final Predicate<SampleKey> reachable;
  private final Census census;
  private final Worker worker =
      new Worker("training-day-sweeper", NANOS_BETWEEN_PASSES, this::sweep);
  private final LongAdder reclaimed = new LongAdder();
  private final LongAdder reclaimedBytes = new LongAdder();
  private volatile Counted counted = new Counted();

  /**
   * @param census told of what a pass in the background finds, and of all drops
   */
  Sweeper(RecordStores stores, Predicate<SampleKey> reachable, Census census) {
    this.stores = stores;
    this.reachable = reachable;
    this.census = census;
  }

  void start() {
    // The first pass counts what is there.
    worker.start();
  }

  /** Says that records may have become unreachable. */
  void wake() {
    worker.wake();
  }

  /** What the last whole pass counted, by data set and pipeline. */
  List<Capacity.Use> uses() {
    List<Capacity.Use> uses = new ArrayList<>();
    counted.byPair.forEach(
        (pair, tally) ->
            uses.add(
                new Capacity.Use(pair.dataset(), pair.pipeline(), tally.records, tally.bytes)));
    return uses;
  }

  /** Of a data set, the copies of other nodes' records that the last whole pass counted. */
  Tally copies(long dataset) {
    return counted.copies.getOrDefault(dataset, NOTHING);
  }

  /** Records dropped since the start because nobody could reach them. */
  long reclaimed() {
    return reclaimed.sum();
  }

  long reclaimedBytes() {
    return reclaimedBytes.sum();
  }

  /** Drops on the calling thread and without pauses what nobody can reach. */
  void sweepNow() {
    pass(0, false);
  }

  private void sweep(boolean woken) {
    pass(woken ? PAUSE_PER_WORK_WHEN_WOKEN : PAUSE_PER_WORK, true);
  }

  private void pass(int pausePerWork, boolean takeCensus) {
    Pass pass = new Pass(pausePerWork, takeCensus);
    try {
      if (pass.run()) {
        counted = pass.counted;
      }
    } catch (RuntimeException failure) {
      // The versions cannot be asked just now. What was not swept is swept the next time.
      LOG.warn("Sweeping ended early", failure);
    }
  }

  @Override
  public void close() {
    worker.close();
  }

  private final class Pass {
    private final int pausePerWork;
    private final boolean takeCensus;
    private final Counted counted = new Counted();
    private int keysSincePause;
    private long workBegan = System.nanoTime();

    Pass(int pausePerWork, boolean takeCensus) {
      this.pausePerWork = pausePerWork;
      this.takeCensus = takeCensus;
    }

    /** Whether all was seen. */
    boolean run() {
      if (takeCensus) {
        census.beginPass();
      }
      for (int backups = 0; backups <= GridCaches.MAX_BACKUPS; backups++) {
        for (Held held : List.of(Held.PRIMARY, Held.BACKUP)) {
          for (int partition : stores.partitions(backups, held)) {
            boolean counts = takeCensus && held == Held.PRIMARY;
            if (counts) {
              census.beginPartition(backups, partition);
            }
            if (!sweep(backups, partition, held, counts)) {
              return false;
            }
            if (counts) {
              census.endPartition();
            }
          }
        }
      }
      if (takeCensus) {
        census.endPass();
      }
      return true;
    }

    private boolean sweep(int backups, int partition, Held held, boolean counts) {
      return stores.forEachKey(
          backups,
          partition,
          (key, recordBytes) -> {
            if (reachable.test(key)) {
              count(held, key, recordBytes);
              if (counts) {
                census.seen(key, recordBytes);
              }
            } else {
              stores.drop(backups, key);
              if (held == Held.PRIMARY) {
                census.dropped(key, recordBytes);
              }
              reclaimed.increment();
              reclaimedBytes.add(recordBytes);
            }
            pause();
            return !worker.isClosed();
          });
    }

    private void count(Held held, SampleKey key, int recordBytes) {
      if (held == Held.BACKUP) {
        counted.copies.computeIfAbsent(key.dataset(), unused -> new Tally()).add(recordBytes);
      }
      counted
          .byPair
          .computeIfAbsent(new Pair(key.dataset(), key.pipeline()), unused -> new Tally())
          .add(recordBytes);
    }

    private void pause() {
      if (pausePerWork > 0 && ++keysSincePause == KEYS_BETWEEN_PAUSES) {
        keysSincePause = 0;
        worker.pause((System.nanoTime() - workBegan) * pausePerWork);
        workBegan = System.nanoTime();
      }
    }
  }
}
