package io.trainingday.grid.discovery;

import java.net.InetSocketAddress;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * Decides what a member of a ring does about other rings. Rings never merge by themselves, so the
 * nodes of all but one have to start again. Not thread-safe.
 */
final class OtherRings {
  /**
   * Another ring that is really there.
   *
   * @param stays whether the other one stays, and this one's nodes have to go
   */
  record Found(InetSocketAddress address, Ring ring, boolean stays) {}

  private Set<InetSocketAddress> before = Set.of();

  /**
   * Judges one look. A ring counts when it was seen in the look before as well: a node that has
   * just joined may know it before its ring does.
   *
   * @param mine this node's ring
   * @param strangers members of rings that this node's ring does not have, and whose ring does not
   *     have this node
   */
  Optional<Found> look(Ring mine, Map<InetSocketAddress, Ring> strangers) {
    Optional<Found> found =
        strangers.entrySet().stream()
            .filter(stranger -> before.contains(stranger.getKey()))
            .min(Map.Entry.comparingByValue())
            .map(
                best ->
                    new Found(best.getKey(), best.getValue(), best.getValue().compareTo(mine) < 0));
    before = Set.copyOf(strangers.keySet());
    return found;
  }
}
