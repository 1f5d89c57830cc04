package io.trainingday.node.capacity;

import java.util.OptionalLong;
import java.util.function.LongSupplier;

/**
 * How much of its budget a node may use while the host, or its container, has other uses for
 * memory.
 *
 * <p>What Ignite has once used it keeps: giving up records makes room for others, but gives nothing
 * back. So a node grows late, into what nobody else wants, and stops growing when there is less
 * left than the reserve, or when programs already wait for memory. What it has stays its own.
 */
final class SoftCap {
  /** So much of the limit is left to others. */
  private static final int SHARE_OF_RESERVE = 32;

  private static final long LEAST_RESERVE_BYTES = 64L << 20;

  /** Percent of ten seconds that something waited for memory, and this node grows no more. */
  private static final double MOST_PRESSURE = 10;

  private final HostLimits limits;
  private final OptionalLong groupBytes;
  private final long reserveBytes;
  private final int pageBytes;
  private final LongSupplier usedPages;
  private long mostUsedPages;

  /**
   * @param groupBytes limit of the container, or empty where there is none
   * @param hostBytes memory of the host
   */
  SoftCap(
      HostLimits limits,
      OptionalLong groupBytes,
      long hostBytes,
      int pageBytes,
      LongSupplier usedPages) {
    this.limits = limits;
    this.groupBytes = groupBytes;
    this.pageBytes = pageBytes;
    this.usedPages = usedPages;
    reserveBytes = Math.max(LEAST_RESERVE_BYTES, groupBytes.orElse(hostBytes) / SHARE_OF_RESERVE);
  }

  /** Pages that may be used now. */
  long pages() {
    mostUsedPages = Math.max(mostUsedPages, usedPages.getAsLong());
    OptionalLong available = limits.available();
    if (groupBytes.isPresent()) {
      OptionalLong inGroup = limits.availableInGroup(groupBytes.getAsLong());
      if (inGroup.isPresent()) {
        available =
            OptionalLong.of(Math.min(inGroup.getAsLong(), available.orElse(inGroup.getAsLong())));
      }
    }
    if (available.isEmpty()) {
      return Long.MAX_VALUE;
    }
    long growth = available.getAsLong() - reserveBytes;
    if (growth <= 0 || limits.pressure() > MOST_PRESSURE) {
      return mostUsedPages;
    }
    return mostUsedPages + growth / pageBytes;
  }
}
