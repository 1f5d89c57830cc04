package io.trainingday.node.fill;

import java.time.Duration;

/**
 * The limits of leases and fills on one node.
 *
 * @param leaseTimeoutNanos how long a lease lives without renewal, from 1
 * @param maxLeasesPerHolder live leases of one connection, and as many waits, from 1
 * @param maxLeases live leases of this node, from 1
 * @param maxInFlightBytes bytes of records taken and not written or dropped yet, from 1
 * @param writers threads that write records to the store, from 1
 */
public record FillLimits(
    long leaseTimeoutNanos,
    int maxLeasesPerHolder,
    int maxLeases,
    long maxInFlightBytes,
    int writers) {
  /** Live leases of one connection unless told otherwise. */
  public static final int DEFAULT_MAX_LEASES_PER_HOLDER = 1 << 16;

  /** Live leases of one node unless told otherwise. */
  public static final int DEFAULT_MAX_LEASES = 1 << 20;

  public FillLimits {
    atLeastOne("leaseTimeoutNanos", leaseTimeoutNanos);
    atLeastOne("maxLeasesPerHolder", maxLeasesPerHolder);
    atLeastOne("maxLeases", maxLeases);
    atLeastOne("maxInFlightBytes", maxInFlightBytes);
    atLeastOne("writers", writers);
  }

  /** Limits with the default numbers of leases. */
  public static FillLimits of(Duration leaseTimeout, long maxInFlightBytes, int writers) {
    return new FillLimits(
        leaseTimeout.toNanos(),
        DEFAULT_MAX_LEASES_PER_HOLDER,
        DEFAULT_MAX_LEASES,
        maxInFlightBytes,
        writers);
  }

  private static void atLeastOne(String name, long value) {
    if (value < 1) {
      throw new IllegalArgumentException("%s=%d < 1, give at least 1".formatted(name, value));
    }
  }
}
