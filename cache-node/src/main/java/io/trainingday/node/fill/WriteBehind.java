package io.trainingday.node.fill;

import io.trainingday.grid.SampleKey;
import io.trainingday.node.capacity.Refusal;
import io.trainingday.node.capacity.Room;
import io.trainingday.node.fill.Fills.Submitted;
import io.trainingday.node.store.RecordStore;
import io.trainingday.node.store.RecordStore.Kept;
import io.trainingday.node.traces.Fate;
import io.trainingday.node.traces.Traces;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** A queue of records bounded in bytes, and the threads that write them to their stores. */
final class WriteBehind {
  private static final class Fill {
    final RecordStore store;
    final SampleKey key;
    final byte[] record;

    /** Whether it is for memory. */
    final boolean inMemory;

    final long takenNanos = System.nanoTime();

    /** Where room in memory is reserved for it; null when nowhere. */
    @Nullable List<UUID> targets;

    Fill(RecordStore store, SampleKey key, byte[] record, @Nullable List<UUID> targets) {
      this.store = store;
      this.key = key;
      this.record = record;
      this.targets = targets;
      this.inMemory = targets != null;
    }
  }

  /** How long a record waits for a node that has just become one of its holders to find room. */
  private static final long PATIENCE_NANOS = TimeUnit.SECONDS.toNanos(1);

  /** After one has waited in vain, none waits for so long: those behind it would wait, too. */
  private static final long REST_NANOS = TimeUnit.SECONDS.toNanos(2);

  private static final Logger LOG = LoggerFactory.getLogger(WriteBehind.class);

  private final Room room;
  private final InFlightBytes inFlight;
  private final Counters counters;
  private final Traces traces;
  private final Consumer<SampleKey> whenDone;
  private final List<Thread> writers = new ArrayList<>();
  private final Set<Class<?>> loggedFailures = ConcurrentHashMap.newKeySet();

  private volatile long restUntilNanos = System.nanoTime();

  private final ReentrantLock lock = new ReentrantLock();
  private final Condition changed = lock.newCondition();

  // Guarded by lock.
  private final Deque<Fill> queue = new ArrayDeque<>();
  private boolean closed;

  /**
   * @param inFlight bounds the queue
   * @param room gets the room of every taken record back once it is written or dropped
   * @param whenDone told, once per taken record, that it is in the store or dropped; must not throw
   */
  WriteBehind(
      Room room,
      InFlightBytes inFlight,
      int writers,
      Counters counters,
      Traces traces,
      Consumer<SampleKey> whenDone) {
    this.room = room;
    this.inFlight = inFlight;
    this.counters = counters;
    this.traces = traces;
    this.whenDone = whenDone;
    for (int i = 0; i < writers; i++) {
      Thread writer = new Thread(this::writeAll, "fill-writer-" + i);
      writer.setDaemon(true);
      this.writers.add(writer);
    }
  }

  void start() {
    writers.forEach(Thread::start);
  }

  /**
   * Takes the record, or says why not. Never blocks.
   *
   * @param targets that it was admitted for, null when it is for the disk alone
   */
  Submitted offer(RecordStore store, SampleKey key, byte[] record, @Nullable List<UUID> targets) {
    Fill fill = new Fill(store, key, record, targets);
    lock.lock();
    try {
      if (closed) {
        counters.refused(Refusal.CLOSED);
        return Submitted.CLOSED;
      }
      if (!inFlight.couldTake(record.length)) {
        counters.refused(Refusal.RECORD_TOO_LARGE);
        return Submitted.TOO_LARGE;
      }
      if (!inFlight.tryTake(record.length)) {
        return Submitted.BUSY;
      }
      queue.add(fill);
      changed.signal();
      return Submitted.TAKEN;
    } finally {
      lock.unlock();
    }
  }

  /** Takes no more, writes what is queued until the deadline, then drops the rest. */
  void close(long timeoutNanos) {
    lock.lock();
    try {
      closed = true;
      changed.signalAll();
    } finally {
      lock.unlock();
    }
    boolean interrupted = !join(System.nanoTime() + timeoutNanos);
    for (Fill fill; (fill = poll()) != null; ) {
      counters.recordsDropped.increment();
      done(fill);
    }
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
  }

  /** Waits for the writers until the deadline; false when interrupted. */
  private boolean join(long deadlineNanos) {
    try {
      for (Thread writer : writers) {
        long leftMillis = TimeUnit.NANOSECONDS.toMillis(deadlineNanos - System.nanoTime());
        if (leftMillis <= 0) {
          return true;
        }
        writer.join(leftMillis);
      }
      return true;
    } catch (InterruptedException e) {
      return false;
    }
  }

  private void writeAll() {
    for (Fill fill; (fill = take()) != null; ) {
      writeOrDrop(fill);
    }
  }

  /** Does one turn of a writer without waiting; false when nothing is queued. */
  boolean writeNext() {
    Fill fill = poll();
    if (fill == null) {
      return false;
    }
    writeOrDrop(fill);
    return true;
  }

  private void writeOrDrop(Fill fill) {
    try {
      write(fill);
    } catch (RuntimeException | Error e) {
      // A writer outlives any failure: the record is a miss again, and that is all.
      counters.writesFailed.increment();
      if (loggedFailures.add(e.getClass())) {
        LOG.warn(
            "Could not write {}; it will be loaded again. Further failures of this kind are only"
                + " counted.",
            fill.key,
            e);
      }
    } finally {
      done(fill);
    }
  }

  private void write(Fill fill) {
    if (fill.store.contains(fill.key)) {
      counters.recordsAlreadyStored.increment();
      return;
    }
    boolean onDisk = fill.store.tier().onDisk();
    Kept kept = onDisk ? fill.store.writeToDisk(fill.key, fill.record) : null;
    boolean inMemory = fill.inMemory && hasRoom(fill);
    if (inMemory) {
      fill.store.write(fill.key, fill.record);
      room.stored(fill.key, fill.record.length);
    }
    Refusal refusal = kept == null ? null : refusal(kept);
    if (inMemory || (onDisk && refusal == null)) {
      counters.recordsWritten.increment();
      counters.bytesWritten.add(fill.record.length);
      counters.writing.count(System.nanoTime() - fill.takenNanos);
    } else if (refusal != null) {
      counters.refused(refusal);
      traces.note(fill.key, Fills.fate(refusal));
      room.refused(fill.key, fill.record.length, refusal);
    } else {
      counters.recordsDropped.increment();
      traces.note(fill.key, Fate.REFUSED_BUDGET);
    }
  }

  /** Why the disk does not keep a record, null when it does. */
  static @Nullable Refusal refusal(Kept kept) {
    return switch (kept) {
      case KEPT -> null;
      case NO_ROOM -> Refusal.DISK_BUDGET;
      case DISK_FULL -> Refusal.DISK_FULL;
      case TOO_LARGE -> Refusal.RECORD_TOO_LARGE;
      case CLOSED -> Refusal.CLOSED;
    };
  }

  /**
   * Whether room is reserved wherever the record will be stored. Nodes may have come and gone while
   * it was queued; one that does so between this and the write gets it without a reservation, and
   * each writer has one record in its hands: the headroom is for such.
   */
  private boolean hasRoom(Fill fill) {
    List<UUID> targets = fill.store.targets(fill.key);
    if (fill.targets != null && fill.targets.containsAll(targets)) {
      return true;
    }
    release(fill);
    try {
      long patience = restUntilNanos - System.nanoTime() > 0 ? 0 : PATIENCE_NANOS;
      if (room.admit(fill.key, fill.record.length, targets, patience) != null) {
        restUntilNanos = System.nanoTime() + REST_NANOS;
        return false;
      }
    } catch (InterruptedException closing) {
      Thread.currentThread().interrupt();
      return false;
    }
    fill.targets = targets;
    return true;
  }

  private void release(Fill fill) {
    if (fill.targets != null) {
      room.release(fill.key, fill.record.length, fill.targets);
      fill.targets = null;
    }
  }

  private void done(Fill fill) {
    release(fill);
    whenDone.accept(fill.key);
    inFlight.give(fill.record.length);
  }

  /** The next record, or null when closed and nothing is left. */
  private @Nullable Fill take() {
    lock.lock();
    try {
      while (queue.isEmpty() && !closed) {
        changed.awaitUninterruptibly();
      }
      return queue.poll();
    } finally {
      lock.unlock();
    }
  }

  private @Nullable Fill poll() {
    lock.lock();
    try {
      return queue.poll();
    } finally {
      lock.unlock();
    }
  }
}
