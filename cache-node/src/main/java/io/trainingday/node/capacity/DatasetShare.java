package io.trainingday.node.capacity;

import io.trainingday.config.Settings.Policy;
import io.trainingday.grid.SampleKey;
import io.trainingday.node.policy.VictimIndex;
import io.trainingday.node.policy.VictimIndex.Victim;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.LongAdder;
import java.util.function.Consumer;
import java.util.function.IntUnaryOperator;
import org.jspecify.annotations.Nullable;

/**
 * One data set's share of this node's memory: what it may have, what it has, and what of it goes
 * first. Thread-safe.
 *
 * <p>It speaks of the records whose primary this node is, and counts their copies on other nodes as
 * if they were here: in a grid of even shares as many copies of others' records are here. So a node
 * decides alone about what it decides at all.
 *
 * <h2>Reads</h2>
 *
 * A reader leaves the keys of its batch in a queue, which costs it some ten nanoseconds. Whoever
 * needs the order next takes them in first. Nothing is lost: when too many are waiting, the reader
 * that brings more takes them in itself. Reads of records whose primary is another node, as of a
 * copy here, are passed on to it ({@link ReadNews}).
 */
final class DatasetShare {
  /** Keys of read records that may wait: some 64 bytes each. */
  private static final int MOST_WAITING = 1 << 18;

  private static final int SHARE_OF_AHEAD = 256;
  private static final int SHARE_OF_MOST_AHEAD = 16;
  private static final int SHARE_OF_MOST_WANTED = 8;

  private final long budgetBytes;
  private final int maxIndexed;
  private final long dataset;
  private final Consumer<SampleKey> unknownRead;
  private final Queue<SampleKey[]> reads = new ConcurrentLinkedQueue<>();
  private final AtomicInteger readsWaiting = new AtomicInteger();
  private final LongAdder evicted = new LongAdder();
  private final LongAdder evictedBytes = new LongAdder();
  private final Map<Refusal, LongAdder> refusals = new EnumMap<>(Refusal.class);
  private final LongAdder refusedRecords = new LongAdder();
  private final LongAdder refusedBytes = new LongAdder();
  private final AtomicLong wantedPages = new AtomicLong();
  private final AtomicLong wantedQuotaBytes = new AtomicLong();
  private volatile DatasetTerms terms;
  private volatile long lastFillNanos;
  private volatile long stuckUntilNanos;
  private volatile boolean everFilled;

  private final IntUnaryOperator copiesOf;

  // Guarded by this.
  private final HeldBytes held;
  private @Nullable VictimIndex index;
  private long bytesInFlight;
  private int passesToFind;

  /**
   * @param budgetBytes of the node, which shares are parts of
   * @param copiesOf on how many nodes records with so many backups are
   * @param maxIndexed entries in the order of victims
   * @param unknownRead told of reads of records that are not in the order of victims here, under a
   *     lock: it must be quick
   */
  DatasetShare(
      long dataset,
      DatasetTerms terms,
      int partitions,
      long budgetBytes,
      IntUnaryOperator copiesOf,
      int maxIndexed,
      Consumer<SampleKey> unknownRead) {
    this.dataset = dataset;
    this.unknownRead = unknownRead;
    this.budgetBytes = budgetBytes;
    this.copiesOf = copiesOf;
    this.maxIndexed = maxIndexed;
    this.terms = terms;
    held = new HeldBytes(partitions);
    for (Refusal refusal : Refusal.values()) {
      refusals.put(refusal, new LongAdder());
    }
    stuckUntilNanos = System.nanoTime();
    lastFillNanos = stuckUntilNanos;
    changeTo(terms);
  }

  long dataset() {
    return dataset;
  }

  DatasetTerms terms() {
    return terms;
  }

  boolean evicts() {
    return terms.policy() != Policy.PIN;
  }

  /** Whether the order of victims depends on reads. */
  boolean wantsReads() {
    return terms.policy() == Policy.LRU || terms.policy() == Policy.LFU;
  }

  /** Takes other terms; true when records have to be found that can be evicted now. */
  synchronized boolean changeTo(DatasetTerms changed) {
    Policy before = index == null ? Policy.PIN : terms.policy();
    terms = changed;
    if (changed.policy() == before) {
      return false;
    }
    VictimIndex former = index;
    index =
        changed.policy() == Policy.PIN
            ? null
            : new VictimIndex(dataset, changed.policy(), maxIndexed);
    if (index != null && former != null) {
      index.takeOver(former);
    }
    if (index != null && former == null) {
      // The pass that is under way has been through some of it.
      passesToFind = 2;
      return true;
    }
    return false;
  }

  /** Whether the walk is under way that finds the records it can evict. */
  synchronized boolean isBeingFound() {
    return index != null && passesToFind > 0 && held.records() > 0;
  }

  // Quota and guarantee. In bytes of records, all copies counted.

  /** On how many nodes each record is, as the grid is now. */
  long copies() {
    return copiesOf.applyAsInt(terms.backups());
  }

  /**
   * Whether records are kept on several nodes.
   *
   * @param targets to which one is written, for a data set that nothing is known of
   */
  boolean isCopied(int targets) {
    return terms.backups() > 0 || (terms.name().isEmpty() && targets > 1);
  }

  long quotaBytes() {
    return terms.quota().bytesOf(budgetBytes);
  }

  /** Counts a record in, unless the data set would have more than it may. */
  synchronized boolean tryTake(int recordBytes) {
    if ((held.bytes() + bytesInFlight + recordBytes) * copies() > quotaBytes()) {
      return false;
    }
    bytesInFlight += recordBytes;
    return true;
  }

  synchronized void giveBack(int recordBytes) {
    bytesInFlight -= recordBytes;
  }

  /** By how much it is over its quota with {@code recordBytes} more. */
  synchronized long overQuotaBytes(long moreBytes) {
    return (held.bytes() + bytesInFlight + moreBytes) * copies() - quotaBytes();
  }

  /**
   * What is kept free of the quota ahead of fills: a few records, where that is little of the
   * whole. Else records that came in vain and come again would always find that newer ones were
   * faster.
   */
  synchronized long aheadBytes() {
    long mean = held.records() == 0 ? 0 : held.bytes() / held.records();
    long quota = quotaBytes() / copies();
    return Math.min(quota / SHARE_OF_MOST_AHEAD, Math.max(quota / SHARE_OF_AHEAD, 3 * mean));
  }

  /** Whether less of the quota is free than is to be. */
  synchronized boolean isNearQuota() {
    return overQuotaBytes(aheadBytes()) > 0;
  }

  /** What it was guaranteed and does not have. */
  synchronized long unmetBytes() {
    return Math.max(
        0, terms.guaranteed().bytesOf(budgetBytes) - (held.bytes() + bytesInFlight) * copies());
  }

  /** What it has beyond its guarantee. */
  synchronized long excessBytes() {
    return held.bytes() * copies() - terms.guaranteed().bytesOf(budgetBytes);
  }

  synchronized long heldBytes() {
    return held.bytes();
  }

  synchronized long heldRecords() {
    return held.records();
  }

  // What is held, and in which order it goes.

  synchronized void stored(SampleKey key, int partition, int recordBytes) {
    held.add(partition, recordBytes);
    if (index != null) {
      takeReads(index);
      boolean unused = index.stored(key, recordBytes);
    }
  }

  synchronized void dropped(SampleKey key, int partition, int recordBytes) {
    held.remove(partition, recordBytes);
    if (index != null) {
      boolean unused = index.dropped(key);
    }
  }

  /** Whether a record can be noted; if not, one has to go before it. */
  synchronized boolean isIndexFull() {
    return index != null && index.isFull();
  }

  synchronized boolean hasVictims() {
    return index != null && index.size() > 0;
  }

  synchronized long indexHeapBytes() {
    return index == null ? 0 : index.heapBytes();
  }

  /** Takes out what goes first, up to so many records and bytes. */
  synchronized List<Victim> takeVictims(int most, long mostBytes) {
    List<Victim> victims = new ArrayList<>();
    if (index == null) {
      return victims;
    }
    takeReads(index);
    long bytes = 0;
    while (victims.size() < most && bytes < mostBytes) {
      Victim victim = index.takeVictim();
      if (victim == null) {
        break;
      }
      victims.add(victim);
      bytes += victim.recordBytes();
    }
    return victims;
  }

  void evicted(int partition, int recordBytes) {
    evicted.increment();
    evictedBytes.add(recordBytes);
    synchronized (this) {
      held.remove(partition, recordBytes);
    }
  }

  long evictions() {
    return evicted.sum();
  }

  long evictedBytes() {
    return evictedBytes.sum();
  }

  // Reads.

  void read(SampleKey[] keys) {
    reads.add(keys);
    if (readsWaiting.addAndGet(keys.length) > MOST_WAITING) {
      takeReads();
    }
  }

  /** Takes the reads in that are waiting. */
  void takeReads() {
    if (!reads.isEmpty()) {
      synchronized (this) {
        if (index != null) {
          takeReads(index);
        } else {
          reads.clear();
          readsWaiting.set(0);
        }
      }
    }
  }

  private void takeReads(VictimIndex into) {
    for (SampleKey[] keys = reads.poll(); keys != null; keys = reads.poll()) {
      readsWaiting.addAndGet(-keys.length);
      for (SampleKey key : keys) {
        if (!into.read(key)) {
          unknownRead.accept(key);
        }
      }
    }
  }

  /** Notes what was read on other nodes. */
  synchronized void readElsewhere(SampleKey[] keys) {
    if (index != null) {
      takeReads(index);
      for (SampleKey key : keys) {
        boolean unused = index.read(key);
      }
    }
  }

  // Refusals.

  void refused(Refusal refusal, int recordBytes) {
    LongAdder counter = refusals.get(refusal);
    if (counter != null) {
      counter.increment();
    }
    if (!refusal.passes()) {
      refusedRecords.increment();
      refusedBytes.add(recordBytes);
    }
  }

  /** Records refused for good, whatever the reason. */
  long refusedRecords() {
    return refusedRecords.sum();
  }

  long refusedBytes() {
    return refusedBytes.sum();
  }

  Map<Refusal, Long> refusals() {
    Map<Refusal, Long> counts = new EnumMap<>(Refusal.class);
    refusals.forEach(
        (refusal, count) -> {
          if (!refusal.passes()) {
            counts.put(refusal, count.sum());
          }
        });
    return counts;
  }

  // Demand.

  void fills(long now) {
    lastFillNanos = now;
    everFilled = true;
  }

  /** Whether it was filled not longer ago than that. */
  boolean filledWithin(long nanos, long now) {
    return everFilled && now - lastFillNanos < nanos;
  }

  void want(long pages, long mostPages) {
    wantedPages.updateAndGet(wanted -> Math.max(wanted, Math.min(wanted + pages, mostPages)));
  }

  /**
   * A record has found no room within the quota. It may say so several times before there is some,
   * so that only a part of the quota is made free for all of them.
   */
  void wantQuota(int recordBytes) {
    long most = Math.max(recordBytes, quotaBytes() / copies() / SHARE_OF_MOST_WANTED);
    wantedQuotaBytes.updateAndGet(wanted -> Math.min(wanted + recordBytes, most));
  }

  /** Bytes of records that found no room within the quota since the last call. */
  long takeWantedQuota() {
    return wantedQuotaBytes.getAndSet(0);
  }

  long wantedPages() {
    return wantedPages.get();
  }

  void satisfied(long pages) {
    wantedPages.updateAndGet(wanted -> Math.max(0, wanted - pages));
  }

  /** Evicting has not helped: until then nobody waits for it. */
  void stuckUntil(long nanos) {
    stuckUntilNanos = nanos;
  }

  boolean isStuck(long now) {
    return stuckUntilNanos - now > 0;
  }

  // The walk over all records.

  synchronized void beginPass() {
    if (index != null) {
      index.beginPass();
    }
  }

  synchronized void beginWalk(int partition) {
    held.beginWalk(partition);
  }

  synchronized void seen(SampleKey key, int recordBytes) {
    held.walk(recordBytes);
    if (index != null) {
      boolean unused = index.seen(key, recordBytes);
    }
  }

  synchronized void endWalk() {
    held.endWalk();
  }

  synchronized void notHeld(int partition) {
    held.clear(partition);
  }

  synchronized void endPass() {
    passesToFind = Math.max(0, passesToFind - 1);
    if (index != null) {
      index.endPass();
    }
  }
}
