package io.trainingday.node.fill;

import io.trainingday.grid.SampleKey;
import io.trainingday.node.capacity.Refusal;
import io.trainingday.node.capacity.Room;
import io.trainingday.node.fill.LeaseTable.Delivery;
import io.trainingday.node.latency.Latency;
import io.trainingday.node.store.RecordStore;
import io.trainingday.node.traces.Fate;
import io.trainingday.node.traces.Traces;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Single flight for the missing samples of the partitions this node owns: who loads, who waits, and
 * how the loaded record gets to the store behind the training.
 *
 * <p>All methods may be called from any thread and none waits for a load or a write. Time is taken
 * from one clock. The caller asks only for keys whose primary this node is, and names the store of
 * their data set's number of backups: always the same one for a key.
 *
 * <h2>Why a sample is loaded once</h2>
 *
 * <p>A key is in one of four states: <i>absent</i>, <i>leased</i>, <i>pending</i> (its record was
 * taken and is being written) or <i>stored</i>. All changes between the first three are made under
 * the lock of the key's stripe. A reader misses in the store and then asks, and between the two the
 * record may have landed. Therefore {@link #missing} decides under the stripe's lock, in this
 * order: pending, leased, then the store once more, and only then grants a lease.
 *
 * <ul>
 *   <li>leased → pending is one step under the lock, so no asker sees a gap;
 *   <li>the writer writes to the store first and removes the pending record, under the lock, after;
 *       so an asker that finds neither a lease nor a pending record under the lock comes either
 *       before the record was submitted (then its lease is the only one: leased is checked first)
 *       or after the write, and then the second look at the store finds it;
 *   <li>an asker that finds it nowhere is right: it was never filled, or dropped (failed, evicted,
 *       refused some time ago), and one more load is due.
 * </ul>
 *
 * <p>A refused record is kept for a moment for those that read the same batch ({@link
 * RefusedRecords}); it is found after all others, under the same lock that it was put there.
 *
 * <p>So two holders never load one key at once, unless the first one's lease has ended without a
 * record: by release, by disconnect or by its deadline. A record that arrives after that is taken
 * all the same: it serves the waiters and ends the newer lease. Leases only save loads; nothing
 * read is ever wrong because of one.
 *
 * <h2>Waiting</h2>
 *
 * <p>A client loads all samples it holds the lease of before it waits for others'; then no circle
 * of waiting connections can form. Waiters are called on the thread that brings the news (a filler,
 * a releaser, the timer), never under a lock, and must hand over quickly.
 */
public final class Fills implements AutoCloseable {
  /** What became of a submitted record. */
  public enum Submitted {
    /** Taken; readable from now on, and in the store soon unless admission refuses it. */
    TAKEN,
    /** The key's record is on its way already; this one is not needed. */
    REPEATED,
    /**
     * Too many bytes in flight, or room is being made here or on a node that is to hold a copy:
     * submit again within the lease, then release and give up.
     */
    BUSY,
    /** Admission has no room for it: not kept, the lease is ended. */
    NO_ROOM,
    /** Larger than a record, or than all that may be in flight: not kept, the lease is ended. */
    TOO_LARGE,
    /** Admission is closed or the node closes: not kept, the lease is ended. */
    CLOSED
  }

  private static final Logger LOG = LoggerFactory.getLogger(Fills.class);
  private static final int STRIPES = 64;

  /** Copies that wait for the disk may take such a part of what fills may. */
  private static final int COPIES_SHARE = 4;

  /** Of the bytes that may be in flight, so many again may be refused ones. */
  private static final int SHARE_OF_REFUSED = 8;

  private static final Duration CLOSE_TIMEOUT = Duration.ofSeconds(5);

  private final FillLimits limits;
  private final Room room;
  private final Elsewhere elsewhere;
  private final Traces traces;
  private final LongSupplier nanoTime;
  private final Counters counters = new Counters();
  private final LeaseTable[] stripes = new LeaseTable[STRIPES];
  private final RefusedRecords refused;
  private final InFlightBytes inFlight;
  private final WriteBehind writeBehind;
  private final CopyWriter copies;

  /** Holds the leases of the samples that are looked for on other nodes. */
  private final Holder searcher;

  private final Map<Long, Holder> holders = new ConcurrentHashMap<>();
  private final AtomicLong lastHolder = new AtomicLong();
  private final AtomicInteger liveLeases = new AtomicInteger();
  private final AtomicBoolean waiterFailureLogged = new AtomicBoolean();
  private final @Nullable ScheduledExecutorService timer;
  private volatile boolean closed;
  private volatile boolean admits = true;

  /** As the other, where no other node may have what is missing here. */
  public Fills(FillLimits limits, Room room) {
    this(limits, room, Elsewhere.nowhere());
  }

  /**
   * Starts the writers and the timer that ends leases whose holder went silent.
   *
   * @param elsewhere is asked for what is missing here before a lease is given
   */
  public Fills(FillLimits limits, Room room, Elsewhere elsewhere) {
    this(limits, room, elsewhere, Traces.none());
  }

  /**
   * As the other.
   *
   * @param traces told of what is refused
   */
  public Fills(FillLimits limits, Room room, Elsewhere elsewhere, Traces traces) {
    this(limits, room, elsewhere, traces, System::nanoTime, true);
    startWriters();
  }

  /**
   * Without writers until {@link #startWriters}; without the timer, {@link #expire} is called by
   * the test that owns the clock.
   */
  Fills(FillLimits limits, Room room, LongSupplier nanoTime, boolean withTimer) {
    this(limits, room, Elsewhere.nowhere(), nanoTime, withTimer);
  }

  Fills(
      FillLimits limits, Room room, Elsewhere elsewhere, LongSupplier nanoTime, boolean withTimer) {
    this(limits, room, elsewhere, Traces.none(), nanoTime, withTimer);
  }

  private Fills(
      FillLimits limits,
      Room room,
      Elsewhere elsewhere,
      Traces traces,
      LongSupplier nanoTime,
      boolean withTimer) {
    this.limits = limits;
    this.traces = traces;
    this.room = room;
    this.elsewhere = elsewhere;
    this.nanoTime = nanoTime;
    AtomicLong lastLease = new AtomicLong();
    for (int i = 0; i < STRIPES; i++) {
      stripes[i] = new LeaseTable(limits.leaseTimeoutNanos(), lastLease, counters);
    }
    refused =
        new RefusedRecords(
            limits.maxInFlightBytes() / SHARE_OF_REFUSED, limits.leaseTimeoutNanos());
    inFlight = new InFlightBytes(limits.maxInFlightBytes());
    writeBehind =
        new WriteBehind(room, inFlight, limits.writers(), counters, traces, this::removePending);
    copies = new CopyWriter(Math.max(1, limits.maxInFlightBytes() / COPIES_SHARE), counters);
    searcher = new Holder(limits.maxLeasesPerHolder(), limits.maxLeases(), liveLeases);
    timer = withTimer ? startTimer(limits.leaseTimeoutNanos()) : null;
  }

  final void startWriters() {
    writeBehind.start();
  }

  /** Does one turn of a writer; false when nothing is queued. */
  boolean writeNext() {
    return writeBehind.writeNext();
  }

  private ScheduledExecutorService startTimer(long leaseTimeoutNanos) {
    ScheduledExecutorService executor =
        Executors.newSingleThreadScheduledExecutor(
            task -> {
              Thread thread = new Thread(task, "lease-timer");
              thread.setDaemon(true);
              return thread;
            });
    // A take-over by a waiter comes at most a fortieth of the lease late.
    long tickNanos = Math.max(leaseTimeoutNanos / 40, TimeUnit.MILLISECONDS.toNanos(1));
    var unused =
        executor.scheduleWithFixedDelay(this::expire, tickNanos, tickNanos, TimeUnit.NANOSECONDS);
    return executor;
  }

  /** Registers a connection and returns its holder id, never 0. */
  public long openHolder() {
    long id = lastHolder.incrementAndGet();
    holders.put(id, new Holder(limits.maxLeasesPerHolder(), limits.maxLeases(), liveLeases));
    return id;
  }

  /**
   * Ends a connection: its leases go to their first waiters or end, its waits are forgotten without
   * a call, and its later questions are refused. Safe to call again.
   */
  public void closeHolder(long holderId) {
    Holder holder = holders.remove(holderId);
    if (holder == null) {
      return;
    }
    holder.close();
    long now = nanoTime.getAsLong();
    for (LeaseTable stripe : stripes) {
      List<Delivery> out = new ArrayList<>();
      synchronized (stripe) {
        stripe.drop(holder, now, out);
      }
      deliver(out);
    }
  }

  /**
   * Answers a reader whose read of {@code key} in the store missed: the record, a lease, or who has
   * one. O(1), one look at the store, no I/O besides that look.
   *
   * @param holderId from {@link #openHolder}; a closed one is {@link MissAnswer.Kind#REFUSED}
   */
  public MissAnswer missing(RecordStore store, SampleKey key, long holderId) {
    return ask(store, key, holderId, null);
  }

  /**
   * As {@link #missing}, and registers {@code waiter} when the answer is {@link
   * MissAnswer.Kind#LEASED_TO_OTHER}; with any other answer it is never called. A connection may
   * wait for a lease of its own, which another of its threads holds. The answer may already have
   * been followed by the waiter's call when this returns.
   */
  public MissAnswer await(RecordStore store, SampleKey key, long holderId, Waiter waiter) {
    return ask(store, key, holderId, waiter);
  }

  private MissAnswer ask(RecordStore store, SampleKey key, long holderId, @Nullable Waiter waiter) {
    Holder holder = holders.get(holderId);
    if (holder == null) {
      counters.leasesRefused.increment();
      return MissAnswer.REFUSED;
    }
    LeaseTable stripe = stripe(key);
    List<Delivery> out = new ArrayList<>(0);
    boolean look = elsewhere.mayHave(store, key);
    long search = 0;
    MissAnswer answer;
    long now = nanoTime.getAsLong();
    synchronized (stripe) {
      // Read under the lock, set before the stripes are swept: no waiter is registered after.
      if (closed) {
        answer = MissAnswer.REFUSED;
      } else {
        if (look) {
          MissAnswer own = stripe.ask(key, searcher, null, now, store::contains, refused, out);
          search = own.kind() == MissAnswer.Kind.GRANTED ? own.lease() : 0;
        }
        answer = stripe.ask(key, holder, waiter, now, store::contains, refused, out);
      }
    }
    deliver(out);
    if (search != 0) {
      long lease = search;
      elsewhere.find(store, key, record -> searched(store, key, lease, record));
    }
    return answer;
  }

  /** A search on other nodes has ended: with a record, or its lease goes to who waits. */
  private void searched(RecordStore store, SampleKey key, long lease, byte @Nullable [] record) {
    if (record != null && submit(store, key, record) != Submitted.BUSY) {
      return;
    }
    LeaseTable stripe = stripe(key);
    List<Delivery> out = new ArrayList<>(0);
    synchronized (stripe) {
      stripe.release(key, searcher, lease, nanoTime.getAsLong(), out);
    }
    deliver(out);
  }

  /**
   * Removes a damaged record from the store, then answers as {@link #missing}. A record that is
   * being loaded or written again already is left alone. Two readers that find the damage at once
   * may cause one load too many.
   *
   * @throws RecordStore.WriteException when the store could not remove it: load without a lease
   */
  public MissAnswer repair(RecordStore store, SampleKey key, long holderId) {
    LeaseTable stripe = stripe(key);
    boolean underRepair;
    synchronized (stripe) {
      underRepair = stripe.isLeased(key) || stripe.pending(key) != null;
    }
    if (!underRepair && store.remove(key)) {
      counters.repairs.increment();
      // What is wrong with it may be wrong with its copies, too.
      elsewhere.notAgain(key);
    }
    return missing(store, key, holderId);
  }

  /**
   * Ends a wait before it is answered. False when the waiter is not waiting: it has been called or
   * is being called, and if that brought it a lease, the lease has to be released.
   */
  public boolean cancel(SampleKey key, Waiter waiter) {
    LeaseTable stripe = stripe(key);
    synchronized (stripe) {
      return stripe.cancel(key, waiter);
    }
  }

  /**
   * Puts off the deadline of a lease by the whole term; false when {@code holderId} does not hold
   * it (any more).
   */
  public boolean renew(SampleKey key, long holderId, long lease) {
    Holder holder = holders.get(holderId);
    if (holder == null) {
      return false;
    }
    LeaseTable stripe = stripe(key);
    synchronized (stripe) {
      return stripe.renew(key, holder, lease, nanoTime.getAsLong());
    }
  }

  /**
   * Gives a lease back without a record, because its load failed or its record was given up; the
   * first waiter gets it. False when {@code holderId} does not hold it (any more).
   */
  public boolean release(SampleKey key, long holderId, long lease) {
    Holder holder = holders.get(holderId);
    if (holder == null) {
      return false;
    }
    LeaseTable stripe = stripe(key);
    List<Delivery> out = new ArrayList<>(0);
    boolean released;
    synchronized (stripe) {
      released = stripe.release(key, holder, lease, nanoTime.getAsLong(), out);
    }
    deliver(out);
    return released;
  }

  /**
   * Takes over a loaded record, which must not change any more, serves its waiters and ends its
   * lease, whoever holds it; the store is written later. Waiters are served whatever the result,
   * the lease outlives only {@link Submitted#BUSY}. Needs no lease: a late record is welcome.
   */
  public Submitted submit(RecordStore store, SampleKey key, byte[] record) {
    LeaseTable stripe = stripe(key);
    List<Delivery> out = new ArrayList<>(0);
    Submitted result;
    synchronized (stripe) {
      result = submit(stripe, store, key, record, out);
    }
    deliver(out);
    return result;
  }

  private Submitted submit(
      LeaseTable stripe, RecordStore store, SampleKey key, byte[] record, List<Delivery> out) {
    if (stripe.pending(key) != null) {
      counters.fillsRepeated.increment();
      return Submitted.REPEATED;
    }
    Submitted result = offer(store, key, record);
    if (result == Submitted.TOO_LARGE) {
      traces.note(key, Fate.REFUSED_TOO_LARGE);
    } else if (result == Submitted.CLOSED) {
      traces.note(key, Fate.REFUSED_CLOSED);
    } else if (result == Submitted.BUSY) {
      traces.note(key, Fate.REFUSED_BUSY);
    }
    switch (result) {
      case TAKEN -> {
        // A writer may be faster than this line, but it removes the pending record under our lock.
        stripe.putPending(key, record);
        stripe.fulfil(key, record, out);
        counters.fillsTaken.increment();
      }
      case BUSY -> {
        stripe.serveOnly(key, record, out);
        counters.fillsBusy.increment();
      }
      case NO_ROOM -> {
        refused.keep(key, record, stripe.interested(key), nanoTime.getAsLong());
        stripe.fulfil(key, record, out);
      }
      case TOO_LARGE, CLOSED, REPEATED -> stripe.fulfil(key, record, out);
    }
    return result;
  }

  /** Reserves room in memory on the nodes that are to hold the record, and in the queue. */
  private Submitted offer(RecordStore store, SampleKey key, byte[] record) {
    if (!admits) {
      counters.refused(Refusal.CLOSED);
      return Submitted.CLOSED;
    }
    Refusal refusal = null;
    if (store.tier().inMemory()) {
      List<UUID> targets = store.targets(key);
      refusal = room.tryAdmit(key, record.length, targets);
      if (refusal == null) {
        Submitted result = writeBehind.offer(store, key, record, targets);
        if (result != Submitted.TAKEN) {
          room.release(key, record.length, targets);
        }
        return result;
      }
      if (refusal.passes()) {
        return Submitted.BUSY;
      }
    }
    boolean diskMayTakeIt =
        store.tier().onDisk()
            && (refusal == null
                || refusal == Refusal.BUDGET
                || refusal == Refusal.QUOTA
                || refusal == Refusal.COPY_BUDGET);
    if (diskMayTakeIt) {
      refusal = WriteBehind.refusal(store.roomOnDisk());
      if (refusal != null) {
        room.refused(key, record.length, refusal);
      }
    }
    if (refusal == null) {
      return writeBehind.offer(store, key, record, null);
    }
    counters.refused(refusal);
    traces.note(key, fate(refusal));
    return switch (refusal) {
      case BUDGET, QUOTA, COPY_BUDGET, EVICTING, COPY_PENDING, DISK_BUDGET, DISK_FULL ->
          Submitted.NO_ROOM;
      case RECORD_TOO_LARGE -> Submitted.TOO_LARGE;
      case CLOSED -> Submitted.CLOSED;
    };
  }

  static Fate fate(Refusal refusal) {
    return switch (refusal) {
      case BUDGET -> Fate.REFUSED_BUDGET;
      case QUOTA -> Fate.REFUSED_QUOTA;
      case COPY_BUDGET -> Fate.REFUSED_COPY_BUDGET;
      case DISK_BUDGET, DISK_FULL -> Fate.REFUSED_DISK;
      case RECORD_TOO_LARGE -> Fate.REFUSED_TOO_LARGE;
      case CLOSED -> Fate.REFUSED_CLOSED;
      case EVICTING, COPY_PENDING -> Fate.REFUSED_BUSY;
    };
  }

  /**
   * Takes over the copy of a record that its owner has, for this node's disk alone: nobody waits
   * for it, and it may come at any time.
   */
  public Submitted submitCopy(RecordStore store, SampleKey key, byte[] record) {
    return store.tier().onDisk() ? copies.offer(store, key, record) : Submitted.CLOSED;
  }

  /**
   * Answers a reader that wants no lease and whose read of {@code key} in the store missed: the
   * record on its way; {@link MissAnswer.Kind#IN_STORE} when it has arrived since the read; or
   * {@link MissAnswer.Kind#REFUSED}. A record that was taken before the read is never overlooked:
   * it is pending until it is stored, and the store is looked at last.
   */
  public MissAnswer find(RecordStore store, SampleKey key) {
    byte[] record = pending(key);
    if (record != null) {
      return MissAnswer.ofRecord(record);
    }
    return store.contains(key) ? MissAnswer.IN_STORE : MissAnswer.REFUSED;
  }

  /** The record of {@code key} on its way to the store, shared and not to be changed, or null. */
  byte @Nullable [] pending(SampleKey key) {
    LeaseTable stripe = stripe(key);
    synchronized (stripe) {
      return stripe.pending(key);
    }
  }

  /** The budget of all records this node has taken, those it passes on to other nodes included. */
  public InFlightBytes inFlight() {
    return inFlight;
  }

  /** Counters and gauges of now. */
  public FillStats stats() {
    return counters.snapshot(liveLeases.get(), inFlight.bytes());
  }

  /** How long it took from taking a record until it was written, of those that were. */
  public Latency.Snapshot latency() {
    return counters.writing.snapshot();
  }

  /** Passes on all leases whose deadline has come. */
  void expire() {
    long now = nanoTime.getAsLong();
    refused.expire(now);
    for (LeaseTable stripe : stripes) {
      List<Delivery> out = new ArrayList<>(0);
      synchronized (stripe) {
        stripe.expire(now, out);
      }
      deliver(out);
    }
  }

  /** From now on records are not kept; those who wait for one are served all the same. */
  public void stopAdmitting() {
    admits = false;
  }

  /** Closes with a timeout of 5 s. */
  @Override
  public void close() {
    close(CLOSE_TIMEOUT);
  }

  /**
   * Refuses all questions and waiters, writes the records taken so far until the timeout and drops
   * and counts the rest. Safe to call again.
   */
  public void close(Duration timeout) {
    closed = true;
    if (timer != null) {
      timer.shutdownNow();
    }
    for (LeaseTable stripe : stripes) {
      List<Delivery> out = new ArrayList<>();
      synchronized (stripe) {
        stripe.closeAll(out);
      }
      deliver(out);
    }
    searcher.close();
    writeBehind.close(timeout.toNanos());
    copies.close();
  }

  private void removePending(SampleKey key) {
    LeaseTable stripe = stripe(key);
    synchronized (stripe) {
      stripe.removePending(key);
    }
  }

  private LeaseTable stripe(SampleKey key) {
    // The high bits: the low ones choose the bucket inside the stripe.
    return stripes[(key.hashCode() * 0x9E3779B9) >>> (32 - Integer.numberOfTrailingZeros(STRIPES))];
  }

  private void deliver(List<Delivery> deliveries) {
    for (Delivery delivery : deliveries) {
      try {
        delivery.waiter().answered(delivery.answer());
      } catch (RuntimeException | Error e) {
        counters.waiterFailures.increment();
        if (waiterFailureLogged.compareAndSet(false, true)) {
          LOG.warn("A waiter for {} failed; further failures are only counted.", delivery.key(), e);
        }
        if (delivery.answer().kind() == MissAnswer.Kind.GRANTED) {
          giveBack(delivery);
        }
      }
    }
  }

  /** A lease that its waiter could not take would block the key until the deadline. */
  private void giveBack(Delivery failed) {
    LeaseTable stripe = stripe(failed.key());
    List<Delivery> out = new ArrayList<>(0);
    synchronized (stripe) {
      stripe.release(
          failed.key(), failed.holder(), failed.answer().lease(), nanoTime.getAsLong(), out);
    }
    deliver(out);
  }
}
