package io.trainingday.node.lane;

import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/**
 * Lets connections in, so that those of one tenant do not keep out those of another, nor, where
 * connections show tokens, the other nodes. Thread-safe.
 *
 * <p>Whose a connection is that shows a token is known when it has greeted. Those that have not yet
 * count by themselves, and where there is no room for one more connection, the one that has been
 * silent longest makes way: one that means to greet does so within milliseconds. What is kept for
 * them only others of them take.
 *
 * @param <C> a connection
 */
final class ConnectionShares<C> {
  // No tenant is called so.
  /** Connections of other nodes. */
  static final String NODES = "(nodes)";

  /** Connections that have not greeted. */
  static final String GREETING = "(greeting)";

  /** Kept for each of these two, at most: what many more nodes than that need is anybody's. */
  private static final long MOST_KEPT = 64;

  private final TenantBudget budget;
  // Guarded by this.
  private final Map<C, String> owners = new HashMap<>();
  private final LinkedHashSet<C> greeting = new LinkedHashSet<>();

  ConnectionShares(int max) {
    budget = new TenantBudget(max);
  }

  /**
   * Who there is from now on.
   *
   * @param tokens whether connections show whose they are only in their greeting
   */
  void use(Set<String> tenants, boolean tokens) {
    Map<String, Long> parts = new HashMap<>();
    int count = tenants.size() + (tokens ? 2 : 0);
    long part = TenantBudget.part(budget.max(), count);
    tenants.forEach(tenant -> parts.put(tenant, part));
    if (tokens) {
      parts.put(NODES, Math.min(part, MOST_KEPT));
      parts.put(GREETING, Math.min(part, MOST_KEPT));
    }
    budget.keep(parts);
  }

  /**
   * Lets one in.
   *
   * @param owner a tenant, or {@link #GREETING}
   * @return whether there is room for it
   */
  synchronized boolean enter(C connection, String owner) {
    if (!budget.tryTake(owner, 1)) {
      return false;
    }
    owners.put(connection, owner);
    if (owner.equals(GREETING)) {
      greeting.add(connection);
    }
    return true;
  }

  /**
   * Turns out the one that has not greeted for the longest time.
   *
   * @param owner for whom, as of {@link #enter}
   * @return it, to be closed; its place is free; null if all have greeted, or those that have not
   *     have no more places than are kept for them
   */
  synchronized @Nullable C makeWay(String owner) {
    if (greeting.isEmpty()
        || (!owner.equals(GREETING) && greeting.size() <= budget.kept(GREETING))) {
      return null;
    }
    C oldest = greeting.iterator().next();
    leave(oldest);
    return oldest;
  }

  /**
   * It has greeted, and turned out to be another one's.
   *
   * @param owner a tenant, or {@link #NODES}
   * @return whether that one has room for it; if not, it is to be closed
   */
  synchronized boolean greeted(C connection, String owner) {
    String before = owners.get(connection);
    if (before == null || !budget.tryMove(before, owner, 1)) {
      return false;
    }
    owners.put(connection, owner);
    greeting.remove(connection);
    return true;
  }

  /** It is gone. */
  synchronized void leave(C connection) {
    String owner = owners.remove(connection);
    if (owner != null) {
      budget.give(owner, 1);
      greeting.remove(connection);
    }
  }

  /** All of them. */
  int count() {
    return (int) budget.used();
  }

  /** Of each tenant that has any. */
  Map<String, Long> ofTenants() {
    Map<String, Long> all = new TreeMap<>(budget.uses());
    all.remove(NODES);
    all.remove(GREETING);
    return all;
  }

  /** Why there is no room for one more, for a person of that tenant: it names no other one. */
  String refusal(String owner) {
    return "connections=%d of lane.maxConnections=%d are in use, %d of them by %s, and %d more are kept for others; share connections or raise it"
        .formatted(
            budget.used(), budget.max(), budget.used(owner), words(owner), budget.keptFrom(owner));
  }

  private static String words(String owner) {
    return switch (owner) {
      case NODES -> "the other nodes together";
      case GREETING -> "those that have not greeted";
      default -> "tenant " + owner;
    };
  }
}
