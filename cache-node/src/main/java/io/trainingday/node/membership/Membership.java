package io.trainingday.node.membership;

import java.util.HashMap;
import java.util.Map;
import java.util.Set;
import java.util.UUID;

/**
 * Some nodes at one point of their ring's history, immutable.
 *
 * @param version Ignite's topology version; all nodes of a ring pass the same versions in the same
 *     order
 * @param nodes process ids, which never come back, to names, which a restarted process has again
 */
record Membership(long version, Map<UUID, String> nodes) {
  Membership {
    nodes = Map.copyOf(nodes);
  }

  Set<UUID> ids() {
    return nodes.keySet();
  }

  boolean contains(UUID id) {
    return nodes.containsKey(id);
  }

  int size() {
    return nodes.size();
  }

  /** How many of these nodes are among {@code ids}. */
  int countIn(Set<UUID> ids) {
    int count = 0;
    for (UUID id : nodes.keySet()) {
      count += ids.contains(id) ? 1 : 0;
    }
    return count;
  }

  Membership without(UUID id) {
    if (!contains(id)) {
      return this;
    }
    Map<UUID, String> rest = new HashMap<>(nodes);
    rest.remove(id);
    return new Membership(version, rest);
  }
}
