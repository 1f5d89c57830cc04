package io.trainingday.node.capacity;

import io.trainingday.grid.GridCaches;
import io.trainingday.grid.SampleKey;
import io.trainingday.node.store.RecordStores;
import io.trainingday.node.store.RecordStores.Held;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.atomic.LongAdder;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Predicate;
import org.apache.ignite.Ignite;
import org.apache.ignite.IgniteException;
import org.apache.ignite.binary.BinaryObject;
import org.apache.ignite.events.CacheEvent;
import org.apache.ignite.events.EventType;
import org.apache.ignite.lang.IgnitePredicate;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Watches each record that rebalancing brings: keeps the pace, and keeps enough pages free for the
 * next ones, so that Ignite never runs out.
 *
 * <h2>How</h2>
 *
 * Ignite has no way to refuse what arrives. But it tells of each record, on the thread that has
 * just stored it, and goes on when we let it; and it asks for the next ones only when it has stored
 * those it has. What it stores between two calls is at most one message: {@code rebalanceBatchSize}
 * and one record over. So many pages are free before, or are made free in the call.
 *
 * <h2>What goes</h2>
 *
 * For a record that this node will be asked for: a copy of one that another node is asked for. For
 * such a copy, for one that nobody can reach any more, and when there is no copy left: the record
 * itself that has just arrived. It is no worse than one that is here already. Its partition then
 * lacks it: who asks for it loads it again.
 */
final class Arrivals implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(Arrivals.class);

  /** Stopping the node and changes of the grid wait for the thread we hold up. */
  private static final long LONGEST_PAUSE_NANOS = 500_000_000;

  private final Ignite ignite;
  private final RecordStores stores;
  private final Admission admission;
  private final Shares shares;
  private final Predicate<SampleKey> reachable;
  private final Pace pace;
  private final long pagesToKeepFree;
  private final long pagesOfOneMessage;
  private final Map<String, Integer> backupsOfCache = new HashMap<>();
  private final LongAdder arrived = new LongAdder();
  private final LongAdder arrivedBytes = new LongAdder();
  private final LongAdder dropped = new LongAdder();
  private final IgnitePredicate<CacheEvent> listener = this::arrived;
  private volatile boolean closed;
  private boolean arriving;
  private double expectedPages;
  private boolean shortageLogged;

  /**
   * @param reachable false for a record that nobody will ever ask for again
   * @param bytesPerSecond the most that arrives
   * @param maxRecordBytes the largest record
   */
  Arrivals(
      Ignite ignite,
      RecordStores stores,
      Admission admission,
      Shares shares,
      Predicate<SampleKey> reachable,
      long bytesPerSecond,
      int maxRecordBytes) {
    this.ignite = ignite;
    this.stores = stores;
    this.admission = admission;
    this.shares = shares;
    this.reachable = reachable;
    pace = new Pace(bytesPerSecond, System::nanoTime);
    pagesOfOneMessage =
        admission.pagesFor(ignite.configuration().getRebalanceBatchSize())
            + admission.pagesFor(maxRecordBytes);
    pagesToKeepFree = pagesOfOneMessage * ignite.configuration().getRebalanceThreadPoolSize();
    for (int backups = 0; backups <= GridCaches.MAX_BACKUPS; backups++) {
      backupsOfCache.put(GridCaches.samples(backups), backups);
    }
  }

  /** What has to be free while records arrive, for the messages they come in. */
  long pagesToKeepFree() {
    return pagesToKeepFree;
  }

  void start() {
    ignite.events().enableLocal(EventType.EVT_CACHE_REBALANCE_OBJECT_LOADED);
    ignite.events().localListen(listener, EventType.EVT_CACHE_REBALANCE_OBJECT_LOADED);
  }

  /** Says that records arrive, and how much is still expected; admission leaves it free. */
  synchronized void expect(long pages) {
    arriving = true;
    expectedPages = pages;
    reserve();
  }

  /** Says that all is here. */
  synchronized void expectNothing() {
    arriving = false;
    expectedPages = 0;
    shortageLogged = false;
    reserve();
  }

  /** Records that have arrived since the start. */
  long arrived() {
    return arrived.sum();
  }

  long arrivedBytes() {
    return arrivedBytes.sum();
  }

  /** Records dropped to make room for others, or that found none themselves. */
  long dropped() {
    return dropped.sum();
  }

  /** On Ignite's thread, which holds locks of the rebalancing, none of the storage. */
  private boolean arrived(CacheEvent event) {
    Integer backups = backupsOfCache.get(event.cacheName());
    if (backups != null && event.newValue() instanceof byte[] record) {
      arrived.increment();
      arrivedBytes.add(record.length);
      keepRoom(backups, event, record.length);
      pause(record.length);
    }
    return true;
  }

  private synchronized void keepRoom(int backups, CacheEvent event, int recordBytes) {
    expectedPages = Math.max(0, expectedPages - admission.meanPages(1, recordBytes));
    reserve();
    boolean here = stores.isPrimaryInTheEnd(backups, event.partition());
    boolean fits = !isShort(0);
    if (!fits && !shortageLogged) {
      shortageLogged = true;
      LOG.warn(
          "What this node is to take over does not fit: it drops records. {} pages are free, {} must"
              + " be, and some {} are still to come",
          admission.freePages(),
          pagesToKeepFree,
          (long) expectedPages);
    }
    if ((here || !fits) && sampleKey(event.key()) instanceof SampleKey key) {
      if (!fits && !(here && reachable.test(key) && dropCopies())) {
        drop(backups, key);
      } else if (here) {
        shares.arrived(key, recordBytes);
      }
    }
  }

  /** What is to be free for the next messages is not to be taken by others, either. */
  private void reserve() {
    admission.arriving(arriving ? (long) expectedPages + pagesToKeepFree : 0);
  }

  private boolean isShort(long morePages) {
    return admission.closedReason() != null || admission.freePages() < pagesToKeepFree + morePages;
  }

  /** Drops copies of other nodes' records until there is room; whether there is. */
  private boolean dropCopies() {
    for (int backups = GridCaches.MAX_BACKUPS; backups > 0; backups--) {
      int of = backups;
      for (int partition : stores.partitions(backups, Held.BACKUP)) {
        boolean all =
            stores.forEachKey(
                backups,
                partition,
                (key, bytes) -> {
                  drop(of, key);
                  return isShort(pagesOfOneMessage);
                });
        if (!all) {
          return true;
        }
      }
    }
    return !isShort(0);
  }

  private void drop(int backups, SampleKey key) {
    stores.drop(backups, key);
    dropped.increment();
  }

  private static Object sampleKey(Object key) {
    return key instanceof BinaryObject binary ? binary.deserialize() : key;
  }

  private void pause(int bytes) {
    long nanos = Math.min(pace.passed(bytes), LONGEST_PAUSE_NANOS);
    if (nanos > 0 && !closed) {
      LockSupport.parkNanos(this, nanos);
    }
  }

  @Override
  public void close() {
    closed = true;
    try {
      boolean unused =
          ignite.events().stopLocalListen(listener, EventType.EVT_CACHE_REBALANCE_OBJECT_LOADED);
    } catch (IgniteException | IllegalStateException stopping) {
      LOG.debug("still listening: {}", stopping.toString());
    }
  }
}
