package io.trainingday.node.fill;

import io.trainingday.grid.SampleKey;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashMap;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/**
 * The states of the missing keys of one stripe: leased, or filled and on the way to the store.
 *
 * <p>Holds no lock and no thread: the caller guards every call with the stripe's lock, passes the
 * time, and runs the deliveries a call adds to {@code out} after it has let the lock go. A key is
 * never leased and on its way at once.
 */
final class LeaseTable {
  /** One answer to run outside of the lock. */
  record Delivery(SampleKey key, Holder holder, Waiter waiter, MissAnswer answer) {}

  private record Waiting(Holder holder, Waiter waiter) {}

  private static final class Lease {
    final long id;
    final Holder holder;
    final Deque<Waiting> waiters;
    long deadlineNanos;

    Lease(long id, Holder holder, Deque<Waiting> waiters, long deadlineNanos) {
      this.id = id;
      this.holder = holder;
      this.waiters = waiters;
      this.deadlineNanos = deadlineNanos;
    }
  }

  private final long leaseTimeoutNanos;
  private final AtomicLong lastLease;
  private final Counters counters;

  /** All leases last equally long and a renewed one is put last: the first ends first. */
  private final Map<SampleKey, Lease> leases = new LinkedHashMap<>();

  private final Map<SampleKey, byte[]> pending = new HashMap<>();

  /**
   * @param lastLease the last lease number given, shared by all stripes
   */
  LeaseTable(long leaseTimeoutNanos, AtomicLong lastLease, Counters counters) {
    this.leaseTimeoutNanos = leaseTimeoutNanos;
    this.lastLease = lastLease;
    this.counters = counters;
  }

  /**
   * Answers a reader whose store read missed; see {@link Fills} for why the store is asked again.
   *
   * @param refused looked into last
   */
  MissAnswer ask(
      SampleKey key,
      Holder holder,
      @Nullable Waiter waiter,
      long nowNanos,
      Predicate<SampleKey> inStore,
      RefusedRecords refused,
      List<Delivery> out) {
    if (holder.isClosed()) {
      return refuse();
    }
    byte[] record = pending.get(key);
    if (record != null) {
      return MissAnswer.ofRecord(record);
    }
    Lease lease = leases.get(key);
    if (lease != null && lease.deadlineNanos - nowNanos <= 0) {
      counters.leasesExpired.increment();
      lease = passOn(key, lease, nowNanos, out);
    }
    if (lease != null) {
      return askOfLeased(lease, holder, waiter);
    }
    if (inStore.test(key)) {
      return MissAnswer.IN_STORE;
    }
    byte[] refusedRecord = refused.find(key, holder, nowNanos);
    if (refusedRecord != null) {
      return MissAnswer.ofRecord(refusedRecord);
    }
    if (!holder.tryBeginLease()) {
      return refuse();
    }
    return MissAnswer.granted(grant(key, holder, new ArrayDeque<>(1), nowNanos).id);
  }

  private MissAnswer askOfLeased(Lease lease, Holder holder, @Nullable Waiter waiter) {
    if (waiter == null) {
      return lease.holder == holder ? MissAnswer.heldByYou(lease.id) : MissAnswer.LEASED_TO_OTHER;
    }
    if (!holder.tryBeginWait()) {
      return refuse();
    }
    lease.waiters.add(new Waiting(holder, waiter));
    return MissAnswer.LEASED_TO_OTHER;
  }

  private MissAnswer refuse() {
    counters.leasesRefused.increment();
    return MissAnswer.REFUSED;
  }

  private Lease grant(SampleKey key, Holder holder, Deque<Waiting> waiters, long nowNanos) {
    Lease lease =
        new Lease(lastLease.incrementAndGet(), holder, waiters, nowNanos + leaseTimeoutNanos);
    leases.put(key, lease);
    counters.leasesGranted.increment();
    return lease;
  }

  /** Ends a lease that was not fulfilled and gives it to its first waiter that may have it. */
  private @Nullable Lease passOn(SampleKey key, Lease ended, long nowNanos, List<Delivery> out) {
    end(key, ended);
    for (Waiting next; (next = ended.waiters.poll()) != null; ) {
      next.holder.endWait();
      if (next.holder.tryBeginLease()) {
        counters.waitersGranted.increment();
        Lease granted = grant(key, next.holder, ended.waiters, nowNanos);
        out.add(new Delivery(key, next.holder, next.waiter, MissAnswer.granted(granted.id)));
        return granted;
      }
      out.add(new Delivery(key, next.holder, next.waiter, refuse()));
    }
    return null;
  }

  private void end(SampleKey key, Lease lease) {
    leases.remove(key);
    lease.holder.endLease();
  }

  /** Puts off the deadline of the holder's lease; false when it holds none. */
  boolean renew(SampleKey key, Holder holder, long leaseId, long nowNanos) {
    Lease lease = held(key, holder, leaseId);
    if (lease == null || lease.deadlineNanos - nowNanos <= 0) {
      return false;
    }
    leases.remove(key);
    lease.deadlineNanos = nowNanos + leaseTimeoutNanos;
    leases.put(key, lease);
    return true;
  }

  /** Ends the holder's lease without a record; false when it holds none. */
  boolean release(SampleKey key, Holder holder, long leaseId, long nowNanos, List<Delivery> out) {
    Lease lease = held(key, holder, leaseId);
    if (lease == null) {
      return false;
    }
    counters.leasesReleased.increment();
    passOn(key, lease, nowNanos, out);
    return true;
  }

  private @Nullable Lease held(SampleKey key, Holder holder, long leaseId) {
    Lease lease = leases.get(key);
    return lease != null && lease.holder == holder && lease.id == leaseId ? lease : null;
  }

  /** Takes the waiter out of the queue of {@code key}; false when it is not there (any more). */
  boolean cancel(SampleKey key, Waiter waiter) {
    Lease lease = leases.get(key);
    if (lease == null) {
      return false;
    }
    for (Iterator<Waiting> waiters = lease.waiters.iterator(); waiters.hasNext(); ) {
      Waiting waiting = waiters.next();
      if (waiting.waiter == waiter) {
        waiters.remove();
        waiting.holder.endWait();
        return true;
      }
    }
    return false;
  }

  /** Forgets the waits of a closed holder and passes its leases on. */
  void drop(Holder holder, long nowNanos, List<Delivery> out) {
    for (Lease lease : leases.values()) {
      lease.waiters.removeIf(
          waiting -> {
            if (waiting.holder == holder) {
              holder.endWait();
              return true;
            }
            return false;
          });
    }
    List<Map.Entry<SampleKey, Lease>> held =
        leases.entrySet().stream()
            .filter(entry -> entry.getValue().holder == holder)
            .map(entry -> Map.entry(entry.getKey(), entry.getValue()))
            .toList();
    for (Map.Entry<SampleKey, Lease> entry : held) {
      counters.leasesReleased.increment();
      passOn(entry.getKey(), entry.getValue(), nowNanos, out);
    }
  }

  /** Passes on the leases whose deadline has come. */
  void expire(long nowNanos, List<Delivery> out) {
    while (!leases.isEmpty()) {
      Map.Entry<SampleKey, Lease> first = leases.entrySet().iterator().next();
      if (first.getValue().deadlineNanos - nowNanos > 0) {
        return;
      }
      counters.leasesExpired.increment();
      passOn(first.getKey(), first.getValue(), nowNanos, out);
    }
  }

  /** Who loads {@code key} or waits for it. */
  List<Holder> interested(SampleKey key) {
    Lease lease = leases.get(key);
    if (lease == null) {
      return List.of();
    }
    List<Holder> holders = new ArrayList<>();
    holders.add(lease.holder);
    lease.waiters.forEach(waiting -> holders.add(waiting.holder));
    return holders;
  }

  /** Ends the lease of {@code key}, if there is one, and serves its waiters. */
  void fulfil(SampleKey key, byte[] record, List<Delivery> out) {
    Lease lease = leases.get(key);
    if (lease != null) {
      end(key, lease);
      serve(key, lease, record, out);
    }
  }

  /** Serves the waiters of {@code key} and leaves the lease to a holder that will try again. */
  void serveOnly(SampleKey key, byte[] record, List<Delivery> out) {
    Lease lease = leases.get(key);
    if (lease != null) {
      serve(key, lease, record, out);
    }
  }

  private void serve(SampleKey key, Lease lease, byte[] record, List<Delivery> out) {
    if (lease.waiters.isEmpty()) {
      return;
    }
    MissAnswer answer = MissAnswer.ofRecord(record);
    for (Waiting next; (next = lease.waiters.poll()) != null; ) {
      next.holder.endWait();
      counters.waitersServed.increment();
      out.add(new Delivery(key, next.holder, next.waiter, answer));
    }
  }

  /** The record of {@code key} that is on its way to the store. */
  byte @Nullable [] pending(SampleKey key) {
    return pending.get(key);
  }

  void putPending(SampleKey key, byte[] record) {
    pending.put(key, record);
  }

  void removePending(SampleKey key) {
    pending.remove(key);
  }

  boolean isLeased(SampleKey key) {
    return leases.containsKey(key);
  }

  /** Refuses every waiter and ends every lease: the node closes. */
  void closeAll(List<Delivery> out) {
    leases.forEach(
        (key, lease) -> {
          lease.holder.endLease();
          for (Waiting next; (next = lease.waiters.poll()) != null; ) {
            next.holder.endWait();
            out.add(new Delivery(key, next.holder, next.waiter, refuse()));
          }
        });
    leases.clear();
  }
}
