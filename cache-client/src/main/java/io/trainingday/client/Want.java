package io.trainingday.client;

import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/** One missing sample of a batch and all its places in it. For one thread at a time. */
final class Want {
  /** Who is to load it. */
  enum Duty {
    /** We, and the node waits for the record. */
    OURS,
    /** We, and nobody waits; the record is offered all the same. */
    UNLEASED,
    /** We, and the record is of no use to the node. */
    FOR_US_ALONE,
    /** Somebody else is at it. */
    OTHERS,
    /** Nobody knows yet, the node has not been asked. */
    UNKNOWN
  }

  final long index;
  private int[] positions;
  private @Nullable Lease lease;
  private Duty duty;
  private @Nullable RuntimeException error;

  Want(long index, int position, Duty duty, @Nullable Lease lease) {
    this.index = index;
    this.positions = new int[] {position};
    this.duty = duty;
    this.lease = lease;
  }

  /** The same index once more in the batch. */
  void add(int position) {
    positions = Arrays.copyOf(positions, positions.length + 1);
    positions[positions.length - 1] = position;
  }

  int[] positions() {
    return positions;
  }

  Duty duty() {
    return duty;
  }

  /** Whether it can be loaded now. */
  boolean isOurs() {
    return duty != Duty.OTHERS && duty != Duty.UNKNOWN;
  }

  /** Changes who loads it. */
  void become(Duty next) {
    duty = next;
  }

  /** It fell to us. */
  void lease(Lease won) {
    lease = won;
    duty = Duty.OURS;
  }

  @Nullable Lease lease() {
    return lease;
  }

  /** Ends the lease here, for the caller to use up. */
  @Nullable Lease takeLease() {
    Lease last = lease;
    lease = null;
    return last;
  }

  void failed(RuntimeException e) {
    error = e;
  }

  @Nullable RuntimeException error() {
    return error;
  }
}
