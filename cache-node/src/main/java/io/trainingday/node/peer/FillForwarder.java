package io.trainingday.node.peer;

import io.trainingday.grid.SampleKey;
import io.trainingday.lane.PeerMessage.PeerFill;
import io.trainingday.lane.PeerMessage.PeerFillReply;
import io.trainingday.node.fill.Fills;
import io.trainingday.node.fill.Fills.Submitted;
import io.trainingday.node.fill.InFlightBytes;
import io.trainingday.node.ownership.Member;
import io.trainingday.node.ownership.Ownership;
import io.trainingday.node.ownership.OwnershipTable;
import io.trainingday.node.store.RecordStore;
import io.trainingday.node.traces.Fate;
import io.trainingday.node.traces.Traces;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Executors;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.LongAdder;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Passes records that trainers of this node have loaded to the nodes that own them, behind the
 * training. Safe for any number of threads; nothing here waits.
 *
 * <p>A record goes to whoever is its primary at the time. Where that node has no room in flight,
 * cannot be reached, or is primary no longer, it is tried again within the time a lease lasts: by
 * then another trainer may have been given the sample to load, so that going on would be in vain.
 * Until the owner has it, the record serves this node's readers ({@link #pending}).
 */
public final class FillForwarder implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(FillForwarder.class);
  private static final long FIRST_REST_MILLIS = 20;
  private static final long LONGEST_REST_MILLIS = 1_000;
  private static final Duration CLOSE_TIMEOUT = Duration.ofSeconds(2);

  private final Ownership ownership;
  private final Peers peers;
  private final Fills fills;
  private final Traces traces;
  private final InFlightBytes inFlight;
  private final long leaseNanos;
  private final Map<SampleKey, Forward> forwards = new ConcurrentHashMap<>();
  private final ScheduledExecutorService timer;
  private final LongAdder passed = new LongAdder();
  private final LongAdder dropped = new LongAdder();
  private volatile boolean closed;

  /** A record on its way. Its fields change in one step after the other, never at once. */
  private static final class Forward {
    final RecordStore store;
    final SampleKey key;
    final boolean verify;
    final byte[] record;
    final long deadlineNanos;
    long restMillis = FIRST_REST_MILLIS;

    Forward(RecordStore store, SampleKey key, boolean verify, byte[] record, long deadlineNanos) {
      this.store = store;
      this.key = key;
      this.verify = verify;
      this.record = record;
      this.deadlineNanos = deadlineNanos;
    }

    PeerFill message() {
      return new PeerFill(
          PeerKeys.of(key, store),
          verify,
          false,
          key.index(),
          key.sampleVersion(),
          ByteBuffer.wrap(record));
    }
  }

  /**
   * @param fills takes the records whose primary this node has become, and has the budget of all
   *     bytes in flight
   * @param leaseTimeout how long a record is tried to be passed on
   * @param traces told of what was refused
   */
  public FillForwarder(
      Ownership ownership, Peers peers, Fills fills, Duration leaseTimeout, Traces traces) {
    this.traces = traces;
    this.ownership = ownership;
    this.peers = peers;
    this.fills = fills;
    inFlight = fills.inFlight();
    leaseNanos = leaseTimeout.toNanos();
    timer =
        Executors.newSingleThreadScheduledExecutor(
            task -> {
              Thread thread = new Thread(task, "fill-forward");
              thread.setDaemon(true);
              return thread;
            });
  }

  /**
   * Takes a record over, which must not change any more, and passes it on later. As {@link
   * Fills#submit}, but that its owner may still refuse it for want of room.
   *
   * @param verify whether its owner is to hold it against its checksum
   */
  public Submitted submit(RecordStore store, SampleKey key, boolean verify, byte[] record) {
    if (closed) {
      return Submitted.CLOSED;
    }
    if (!inFlight.couldTake(record.length)) {
      return Submitted.TOO_LARGE;
    }
    if (forwards.containsKey(key)) {
      return Submitted.REPEATED;
    }
    if (!inFlight.tryTake(record.length)) {
      return Submitted.BUSY;
    }
    Forward forward = new Forward(store, key, verify, record, System.nanoTime() + leaseNanos);
    if (forwards.putIfAbsent(key, forward) != null) {
      inFlight.give(record.length);
      return Submitted.REPEATED;
    }
    pass(forward);
    return Submitted.TAKEN;
  }

  /** The record of {@code key} on its way to its owner, shared and not to be changed, or null. */
  public byte @Nullable [] pending(SampleKey key) {
    Forward forward = forwards.get(key);
    return forward == null ? null : forward.record;
  }

  /** Records that reached their owner, whatever it did with them. */
  public long passed() {
    return passed.sum();
  }

  /** Records that were given up before they reached their owner. */
  public long dropped() {
    return dropped.sum();
  }

  private void pass(Forward forward) {
    if (System.nanoTime() - forward.deadlineNanos > 0) {
      drop(forward);
      return;
    }
    OwnershipTable table = ownership.table(forward.store.backups());
    Member primary = table.primary(table.partition(forward.key.index()));
    if (primary.local()) {
      keep(forward);
    } else {
      var unused =
          peers
              .of(primary)
              .fill(forward.message())
              .whenComplete((reply, failure) -> answered(forward, reply, failure));
    }
  }

  private void answered(
      Forward forward, @Nullable PeerFillReply reply, @Nullable Throwable failure) {
    if (reply == null) {
      LOG.debug("{} did not reach its owner yet", forward.key, failure);
      retry(forward);
      return;
    }
    switch (reply.result()) {
      case TAKEN -> end(forward, passed);
      case DROPPED -> {
        traces.note(
            forward.key,
            switch (reply.reason()) {
              case "too-large" -> Fate.REFUSED_TOO_LARGE;
              case "stopping" -> Fate.REFUSED_CLOSED;
              default -> Fate.REFUSED_BUDGET;
            });
        end(forward, passed);
      }
      case BUSY, NOT_OWNER, DAMAGED -> retry(forward);
    }
  }

  /** The partition is this node's own now. */
  private void keep(Forward forward) {
    inFlight.give(forward.record.length);
    Submitted submitted = fills.submit(forward.store, forward.key, forward.record);
    if (submitted == Submitted.BUSY && inFlight.tryTake(forward.record.length)) {
      retry(forward);
    } else if (forwards.remove(forward.key, forward)) {
      (submitted == Submitted.BUSY ? dropped : passed).increment();
      tellCloser();
    }
  }

  private void retry(Forward forward) {
    long rest = forward.restMillis;
    forward.restMillis = Math.min(LONGEST_REST_MILLIS, 2 * rest);
    try {
      var unused = timer.schedule(() -> pass(forward), rest, TimeUnit.MILLISECONDS);
    } catch (RejectedExecutionException e) {
      drop(forward);
    }
  }

  private void drop(Forward forward) {
    traces.note(forward.key, Fate.REFUSED_BUSY);
    LOG.debug("{} is given up: it did not reach its owner in time", forward.key);
    end(forward, dropped);
  }

  private void end(Forward forward, LongAdder counter) {
    if (forwards.remove(forward.key, forward)) {
      inFlight.give(forward.record.length);
      counter.increment();
      tellCloser();
    }
  }

  private void tellCloser() {
    if (closed) {
      synchronized (this) {
        notifyAll();
      }
    }
  }

  /** Takes no more, passes on what was taken for 2 s, then drops and counts the rest. */
  @Override
  public void close() {
    closed = true;
    long deadline = System.nanoTime() + CLOSE_TIMEOUT.toNanos();
    try {
      synchronized (this) {
        for (long left; !forwards.isEmpty() && (left = millis(deadline)) > 0; ) {
          wait(left);
        }
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    timer.shutdownNow();
    forwards.values().forEach(this::drop);
  }

  private static long millis(long deadlineNanos) {
    return TimeUnit.NANOSECONDS.toMillis(deadlineNanos - System.nanoTime());
  }
}
