package io.trainingday.node.lane;

import java.util.HashMap;
import java.util.Map;

/**
 * Something that a node's tenants have in common, such as shared memory, given out so that none of
 * them takes all of it.
 *
 * <p>For each a part is kept: no other one can take it, whether it is in use or not. Who comes
 * first gets the rest. What is given out is not taken back, so nothing less would do for a tenant
 * that comes last. Of one that is alone nothing is kept back. Thread-safe.
 */
final class TenantBudget {
  private final long max;
  private final Map<String, Long> used = new HashMap<>();
  private Map<String, Long> kept = Map.of();
  private long total;

  /** Nothing of it is given out, nor kept for anybody. */
  TenantBudget(long max) {
    this.max = max;
  }

  /** The part of each of them: of one half of all, so that the other half is anybody's. */
  static long part(long max, int tenants) {
    return tenants <= 1 ? 0 : max / 2 / tenants;
  }

  /** What is kept for each from now on; what is given out already stays so. */
  synchronized void keep(Map<String, Long> parts) {
    kept = Map.copyOf(parts);
  }

  long max() {
    return max;
  }

  /** What is given out. */
  synchronized long used() {
    return total;
  }

  /** What is given out to one. */
  synchronized long used(String tenant) {
    return used.getOrDefault(tenant, 0L);
  }

  /** Of all that have something. */
  synchronized Map<String, Long> uses() {
    return Map.copyOf(used);
  }

  /** What is kept for one, in use or not. */
  synchronized long kept(String tenant) {
    return kept.getOrDefault(tenant, 0L);
  }

  /** What is kept for others and not in use, so that this one cannot have it. */
  synchronized long keptFrom(String tenant) {
    long sum = 0;
    for (Map.Entry<String, Long> one : kept.entrySet()) {
      if (!one.getKey().equals(tenant)) {
        sum += Math.max(0, one.getValue() - used(one.getKey()));
      }
    }
    return sum;
  }

  synchronized boolean tryTake(String tenant, long wanted) {
    if (wanted > max - total - keptFrom(tenant)) {
      return false;
    }
    total += wanted;
    used.merge(tenant, wanted, Long::sum);
    return true;
  }

  synchronized void give(String tenant, long taken) {
    total -= taken;
    used.computeIfPresent(tenant, (name, before) -> before == taken ? null : before - taken);
  }

  /**
   * Gives what one has to another.
   *
   * @return whether the other one may have it; if not, nothing is changed
   */
  synchronized boolean tryMove(String from, String to, long taken) {
    give(from, taken);
    if (tryTake(to, taken)) {
      return true;
    }
    total += taken;
    used.merge(from, taken, Long::sum);
    return false;
  }
}
