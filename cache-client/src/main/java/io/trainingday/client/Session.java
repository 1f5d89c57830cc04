package io.trainingday.client;

import io.trainingday.lane.LaneAddress;
import io.trainingday.lane.LaneConnection;
import io.trainingday.lane.LaneConnection.Reply;
import io.trainingday.lane.LaneException;
import io.trainingday.lane.LaneMessage;
import io.trainingday.lane.LaneMessage.Abandon;
import io.trainingday.lane.LaneMessage.HelloReply;
import io.trainingday.lane.LaneMessage.Renew;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.BiConsumer;
import java.util.function.IntSupplier;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** One connection with all that lives and dies with it: slots and leases. Thread-safe. */
final class Session {
  private static final Logger LOG = LoggerFactory.getLogger(Session.class);

  /** What a node's answer may take beyond the time it says it keeps. */
  private static final int GRACE_MILLIS = 1_000;

  private static final int LEASES_A_MESSAGE = 4_096;

  private final LaneAddress address;
  private final LaneConnection connection;
  private final long answerNanos;
  private final SlotPool slots;
  private final Events events;
  private final AtomicBoolean saidGoing = new AtomicBoolean();
  private final Set<Lease> leases = ConcurrentHashMap.newKeySet();
  private final Future<?> renewals;
  // Guarded by this.
  private int users;
  private boolean unwanted;

  /** What whoever looks for sessions is told. */
  interface Events {
    /** The session is over. */
    void lost(Session session, IOException why);

    /** The session's node goes: it still answers, for a while. Told once. */
    void going(Session session);
  }

  Session(
      LaneAddress address,
      LaneConnection connection,
      @Nullable Duration answerTimeout,
      IntSupplier wantedSlots,
      Background background,
      Events events) {
    this.address = address;
    this.connection = connection;
    this.answerNanos =
        answerTimeout != null
            ? answerTimeout.toNanos()
            : TimeUnit.MILLISECONDS.toNanos(
                connection.limits().answerTimeoutMillis() + (long) GRACE_MILLIS);
    this.slots = new SlotPool(this, wantedSlots, background);
    this.events = events;
    this.renewals =
        background.every(
            this::renewLeases, Math.max(1, connection.limits().leaseTimeoutMillis() / 3));
  }

  /** Where the node is. */
  LaneAddress address() {
    return address;
  }

  HelloReply limits() {
    return connection.limits();
  }

  /**
   * A slot of at least that many bytes, or null for inline payload.
   *
   * @throws IOException if the connection is gone
   */
  SlotPool.@Nullable Slot takeSlot(long bytes) throws IOException {
    return bytes > 0 && limits().sharedMemory() ? slots.take(bytes) : null;
  }

  boolean isOpen() {
    return connection.isOpen();
  }

  boolean isClosed() {
    return !connection.isOpen();
  }

  /**
   * Starts a batch, which keeps the session from being closed in favour of another one.
   *
   * @return false if that has happened already
   */
  synchronized boolean enter() {
    if (unwanted && isClosed()) {
      return false;
    }
    users++;
    return true;
  }

  /** Ends what {@link #enter} started. */
  void leave() {
    synchronized (this) {
      users--;
    }
    closeIfUnused();
  }

  /** Another session has taken the place; this one ends with the last batch and lease. */
  void closeWhenUnused() {
    synchronized (this) {
      unwanted = true;
    }
    closeIfUnused();
  }

  private synchronized void closeIfUnused() {
    if (unwanted && users == 0 && leases.isEmpty()) {
      close();
    }
  }

  /** The longest a READ may ask the node to wait, so that its answer is in time for us too. */
  long longestWaitMillis() {
    return Math.min(
        limits().answerTimeoutMillis() * 3L / 4, TimeUnit.NANOSECONDS.toMillis(answerNanos) / 2);
  }

  /** While its lease lasts, a record is offered again; then comes one last answer. */
  long longestFillNanos() {
    return TimeUnit.MILLISECONDS.toNanos(limits().leaseTimeoutMillis()) + 2 * answerNanos;
  }

  /**
   * One request, within the answer timeout.
   *
   * @throws LaneException if the node answered with an error
   * @throws IOException if the connection is gone; whoever looks for a session has been told
   */
  Reply call(LaneMessage request) throws IOException {
    try {
      return connection.call(request, System.nanoTime() + answerNanos);
    } catch (IOException e) {
      ended(e);
      throw e;
    } finally {
      lookWhetherGoing();
    }
  }

  /** Hears what the node has said unasked. */
  void listen() {
    connection.listen();
    lookWhetherGoing();
  }

  private void lookWhetherGoing() {
    if (connection.isGoing() && isOpen() && saidGoing.compareAndSet(false, true)) {
      events.going(this);
    }
  }

  private void ended(IOException e) {
    renewals.cancel(false);
    slots.close();
    events.lost(this, e);
  }

  /** Ends the connection because of what the node sent. */
  IOException breakOff(String why) {
    IOException e = connection.breakOff(why);
    ended(e);
    return e;
  }

  /** A request whose failing changes nothing for the caller. */
  void tell(LaneMessage request) {
    try {
      call(request);
    } catch (IOException e) {
      LOG.debug("{} not sent: {}", request, e.toString());
    } catch (LaneException e) {
      LOG.warn("the node did not accept {}: {}", request, e.getMessage());
    }
  }

  /** Renews the lease from now on. */
  void hold(Lease lease) {
    leases.add(lease);
  }

  /** The lease has been used. */
  void drop(Lease lease) {
    leases.remove(lease);
    closeIfUnused();
  }

  /** Gives leases back unused, for others to load. */
  void abandon(Collection<Lease> unused) {
    unused.forEach(leases::remove);
    if (isOpen()) {
      byHandle(
          unused,
          (handle, some) -> tell(new Abandon(handle, 0, indices(some), ids(some), versions(some))));
    }
    closeIfUnused();
  }

  /** Tells the node that all leases held are still being worked on. */
  private void renewLeases() {
    byHandle(
        leases,
        (handle, some) -> tell(new Renew(handle, 0, indices(some), ids(some), versions(some))));
  }

  void close() {
    renewals.cancel(false);
    connection.close();
    slots.close();
  }

  private static void byHandle(Collection<Lease> all, BiConsumer<Integer, List<Lease>> send) {
    Map<Integer, List<Lease>> grouped = all.stream().collect(Collectors.groupingBy(Lease::handle));
    grouped.forEach(
        (handle, leases) -> {
          for (int from = 0; from < leases.size(); from += LEASES_A_MESSAGE) {
            int to = Math.min(leases.size(), from + LEASES_A_MESSAGE);
            send.accept(handle, new ArrayList<>(leases.subList(from, to)));
          }
        });
  }

  private static long[] indices(List<Lease> some) {
    return some.stream().mapToLong(Lease::index).toArray();
  }

  private static long[] ids(List<Lease> some) {
    return some.stream().mapToLong(Lease::id).toArray();
  }

  private static long[] versions(List<Lease> some) {
    return some.stream().mapToLong(Lease::sampleVersion).toArray();
  }
}
