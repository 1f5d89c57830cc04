package io.trainingday.node.lane;

/**
 * The numbers by which trainers know leases: who granted one, and its number there. So the way back
 * to the owner needs no table that could grow.
 */
final class LeaseIds {
  /** Stands for this node itself. */
  static final int LOCAL = 0;

  private static final int LEASE_BITS = 48;

  private LeaseIds() {}

  /**
   * @param granter the number of a peer, or {@link #LOCAL}
   * @param lease less than 2^48: a node that grants a million leases a second needs 9 years
   */
  static long of(int granter, long lease) {
    return (long) granter << LEASE_BITS | lease;
  }

  static int granter(long id) {
    return (int) (id >>> LEASE_BITS);
  }

  static long lease(long id) {
    return id & ((1L << LEASE_BITS) - 1);
  }
}
