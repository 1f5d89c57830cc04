package io.trainingday.node.fill;

import java.util.concurrent.atomic.AtomicInteger;

/**
 * One connection that may hold leases and wait for others'.
 *
 * <p>{@code closed} is set before the connection's leases are swept, table by table, and read under
 * each table's lock before a lease is given: a lease is either given before its table is swept, and
 * then found, or refused.
 */
final class Holder {
  private final int maxLeases;
  private final int maxLeasesOfNode;
  private final AtomicInteger leasesOfNode;
  private final AtomicInteger leases = new AtomicInteger();
  private final AtomicInteger waits = new AtomicInteger();
  private volatile boolean closed;

  Holder(int maxLeases, int maxLeasesOfNode, AtomicInteger leasesOfNode) {
    this.maxLeases = maxLeases;
    this.maxLeasesOfNode = maxLeasesOfNode;
    this.leasesOfNode = leasesOfNode;
  }

  boolean isClosed() {
    return closed;
  }

  void close() {
    closed = true;
  }

  /** Counts one lease more, unless this connection or the node has as many as it may. */
  boolean tryBeginLease() {
    if (closed || !tryCount(leases, maxLeases)) {
      return false;
    }
    if (!tryCount(leasesOfNode, maxLeasesOfNode)) {
      leases.decrementAndGet();
      return false;
    }
    return true;
  }

  void endLease() {
    leases.decrementAndGet();
    leasesOfNode.decrementAndGet();
  }

  /** Counts one wait more, unless this connection has as many as it may. */
  boolean tryBeginWait() {
    return !closed && tryCount(waits, maxLeases);
  }

  void endWait() {
    waits.decrementAndGet();
  }

  private static boolean tryCount(AtomicInteger counter, int max) {
    if (counter.incrementAndGet() > max) {
      counter.decrementAndGet();
      return false;
    }
    return true;
  }
}
