package io.trainingday.node.capacity;

import io.trainingday.grid.SampleKey;
import io.trainingday.node.background.Worker;
import io.trainingday.node.policy.VictimIndex.Victim;
import io.trainingday.node.store.RecordStore;
import io.trainingday.node.store.RecordStores;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Makes room by giving up records, for data sets whose policy wants that.
 *
 * <h2>When</h2>
 *
 * Ahead: while a data set that evicts is being filled, a few pages are kept free, so that a fill
 * finds room at once and never waits for a removal. One that finds none all the same is told to
 * come again in a moment, and what it needs is made free.
 *
 * <h2>What goes</h2>
 *
 * The next victim, by its policy, of the data set that holds most beyond what it was guaranteed, of
 * those whose policy evicts. So data sets that evict come to equal shares, nobody is pushed out of
 * its guarantee by another one, and what is pinned stays. A record goes with all of its copies.
 *
 * <h2>How far</h2>
 *
 * Until Ignite's used pages have sunk: of records of different sizes, the small ones leave holes in
 * pages, not free pages. If a multiple of what was needed has been given up in vain, fills are
 * refused for a moment rather than all given up for one.
 */
final class Evictor implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(Evictor.class);

  /** Pages kept free ahead of fills, where that is little of the whole. */
  static final long CUSHION_PAGES = 64;

  private static final int SHARE_OF_CUSHION = 256;
  private static final int SHARE_OF_WANTED = 8;

  /** Fewer removals at a time than a look at the used pages costs nothing beside. */
  private static final int MOST_VICTIMS_AT_ONCE = 32;

  /** So many times of what is needed may be given up in vain, and at least so many records. */
  private static final int MOST_IN_VAIN = 8;

  private static final int LEAST_VICTIMS = 256;

  private static final long STUCK_NANOS = TimeUnit.MILLISECONDS.toNanos(100);
  private static final long ACTIVE_NANOS = TimeUnit.SECONDS.toNanos(1);
  private static final long IDLE_NANOS = TimeUnit.SECONDS.toNanos(1);
  private static final long TURN_NANOS = TimeUnit.MILLISECONDS.toNanos(20);

  private final RecordStores stores;
  private final Admission admission;
  private final Shares shares;
  private final Consumer<SampleKey> evicted;
  private final long cushionPages;
  private final AtomicLong wantedByOthers = new AtomicLong();
  private final Worker worker = new Worker("training-day-evictor", this::periodNanos, this::turn);

  Evictor(RecordStores stores, Admission admission, Shares shares, Consumer<SampleKey> evicted) {
    this.evicted = evicted;
    this.stores = stores;
    this.admission = admission;
    this.shares = shares;
    cushionPages =
        Math.max(1, Math.min(CUSHION_PAGES, admission.admissiblePages() / SHARE_OF_CUSHION));
  }

  void start() {
    worker.start();
  }

  // What fills ask for; on their threads, never waiting.

  /**
   * Pages that a data set's fills leave free: others' guarantees, and what is made free for others.
   */
  long keptPages(DatasetShare share) {
    long kept = admission.pagesOf(shares.unmetBytes(share));
    return share.evicts() ? kept : kept + cushionInUse();
  }

  private long cushionInUse() {
    long now = System.nanoTime();
    long pages = 0;
    for (DatasetShare share : shares.all()) {
      if (share.evicts() && share.hasVictims() && share.filledWithin(ACTIVE_NANOS, now)) {
        pages = Math.max(pages, cushionPages + share.wantedPages());
      }
    }
    return pages;
  }

  /** A record of the data set was admitted. */
  void admitted(DatasetShare share) {
    if (share.evicts() && (admission.lastRoomPages() < cushionPages || share.isNearQuota())) {
      worker.wake();
    }
  }

  /** Whether room will be made for a record that finds none. */
  boolean makeRoom(DatasetShare share, int recordBytes) {
    long now = System.nanoTime();
    if (!share.evicts() || share.isStuck(now)) {
      return false;
    }
    if (victimsFor(share) == null) {
      return share.isBeingFound();
    }
    share.want(
        admission.pagesFor(recordBytes),
        Math.max(admission.pagesFor(recordBytes), admission.admissiblePages() / SHARE_OF_WANTED));
    worker.wake();
    return true;
  }

  /** Whether the data set will be brought under its quota for a record that finds it full. */
  boolean makeQuota(DatasetShare share, int recordBytes) {
    if (!share.evicts()
        || !share.hasVictims()
        || share.isStuck(System.nanoTime())
        || recordBytes * share.copies() > share.quotaBytes()) {
      return false;
    }
    share.wantQuota(recordBytes);
    worker.wake();
    return true;
  }

  /** Another node wants so many pages here for copies, of a data set that evicts. */
  void wantedByOther(long pages) {
    wantedByOthers.updateAndGet(
        wanted -> Math.min(wanted + pages, admission.admissiblePages() / SHARE_OF_WANTED));
    worker.wake();
  }

  // The thread.

  private long periodNanos() {
    return anyEvicts() ? TURN_NANOS : IDLE_NANOS;
  }

  private boolean anyEvicts() {
    for (DatasetShare share : shares.all()) {
      if (share.evicts()) {
        return true;
      }
    }
    return false;
  }

  private void turn(boolean woken) {
    for (DatasetShare share : shares.all()) {
      share.takeReads();
      if (!worker.isClosed()
          && share.evicts()
          && share.filledWithin(ACTIVE_NANOS, System.nanoTime())) {
        makeQuota(share);
        makeRoom(share);
      }
    }
    long others = wantedByOthers.getAndSet(0);
    if (others > 0 && !worker.isClosed()) {
      makeRoomForOthers(others);
    }
  }

  private void makeQuota(DatasetShare share) {
    long more = share.takeWantedQuota() + share.aheadBytes();
    for (long over = share.overQuotaBytes(more);
        over > 0 && !worker.isClosed();
        over = share.overQuotaBytes(more)) {
      if (evict(share, over) == 0) {
        share.stuckUntil(System.nanoTime() + STUCK_NANOS);
        return;
      }
    }
  }

  private void makeRoom(DatasetShare share) {
    Effort effort = new Effort();
    while (!worker.isClosed()) {
      long wanted = share.wantedPages();
      long missing = wanted + cushionPages - roomFor(share);
      boolean full = share.isIndexFull();
      if (missing <= 0 && !full) {
        share.satisfied(wanted);
        return;
      }
      DatasetShare from = full ? share : victimsFor(share);
      if (from == null && share.isBeingFound()) {
        return;
      }
      if (from == null || !effort.allows(missing)) {
        share.satisfied(wanted);
        share.stuckUntil(System.nanoTime() + STUCK_NANOS);
        return;
      }
      effort.spent(from, Math.max(1, missing) * admission.pageBytes());
    }
  }

  private void makeRoomForOthers(long pages) {
    Effort effort = new Effort();
    // A node that asks gets half of what is free.
    while (!worker.isClosed() && admission.roomPages(true) < 2 * pages + cushionPages) {
      DatasetShare from = victimsFor(null);
      long missing = 2 * pages + cushionPages - admission.roomPages(true);
      if (from == null || !effort.allows(missing)) {
        return;
      }
      effort.spent(from, missing * admission.pageBytes());
    }
  }

  private long roomFor(DatasetShare share) {
    return admission.roomPagesSoon(share.isCopied(1)) - admission.pagesOf(shares.unmetBytes(share));
  }

  /** What has been given up for one need. */
  private final class Effort {
    private long pages;
    private int victims;
    private long firstNeed;

    boolean allows(long missingPages) {
      firstNeed = Math.max(firstNeed, missingPages);
      return victims < LEAST_VICTIMS || pages < MOST_IN_VAIN * firstNeed;
    }

    void spent(DatasetShare from, long mostBytes) {
      long bytes = evict(from, mostBytes);
      pages += bytes / admission.pageBytes() + 1;
      victims += MOST_VICTIMS_AT_ONCE;
    }
  }

  /** The data set to take from for {@code share}, or for another node where that is null. */
  private @Nullable DatasetShare victimsFor(@Nullable DatasetShare share) {
    DatasetShare best = null;
    long bestExcess = 0;
    for (DatasetShare other : shares.all()) {
      if (other.evicts() && other.hasVictims()) {
        // Its own older records it may always replace.
        long excess = other == share ? Math.max(1, other.excessBytes()) : other.excessBytes();
        if (excess > bestExcess) {
          best = other;
          bestExcess = excess;
        }
      }
    }
    return best;
  }

  /** Gives up a few records; the bytes of them. */
  private long evict(DatasetShare share, long mostBytes) {
    List<Victim> victims = share.takeVictims(MOST_VICTIMS_AT_ONCE, mostBytes);
    if (victims.isEmpty()) {
      return 0;
    }
    int backups = share.terms().backups();
    if (backups == 0) {
      victims.forEach(victim -> stores.drop(0, victim.key()));
    } else {
      List<SampleKey> keys = new ArrayList<>(victims.size());
      victims.forEach(victim -> keys.add(victim.key()));
      try {
        stores.of(backups).removeAll(keys);
      } catch (RecordStore.WriteException failure) {
        LOG.debug("Not all were evicted, the next walk finds them again", failure);
      }
    }
    long bytes = 0;
    for (Victim victim : victims) {
      evicted.accept(victim.key());
      share.evicted(shares.partition(victim.key()), victim.recordBytes());
      bytes += victim.recordBytes();
    }
    return bytes;
  }

  @Override
  public void close() {
    worker.close();
  }
}
