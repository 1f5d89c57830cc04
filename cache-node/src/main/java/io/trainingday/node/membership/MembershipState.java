package io.trainingday.node.membership;

import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.UUID;
import org.jspecify.annotations.Nullable;

/**
 * What one node knows of the membership at one moment, immutable.
 *
 * @param view the nodes that discovery shows
 * @param electorates the memberships a node needs a majority of to serve, of each of them; none
 *     while it knows of none that was formed. The last one formed comes first, attempts follow
 * @param lostMajorityOf an electorate of which the view has too little ever to be formed
 * @param outsidersServeUntilNanos until then a node that failed, and is out, may hold a lease
 * @param ended whether this node is out of the grid itself
 */
record MembershipState(
    Membership view,
    List<Membership> electorates,
    @Nullable Membership lostMajorityOf,
    long outsidersServeUntilNanos,
    boolean ended) {

  MembershipState end() {
    return new MembershipState(view, List.of(), null, outsidersServeUntilNanos, true);
  }

  /**
   * Whether every node that may hold a serving lease, now or by an agreement under way, is in the
   * view: who failed is out of the membership again. A node that has only just joined may be
   * missing from the membership: without this node's attempt it cannot come in, and serve.
   */
  boolean isSettled() {
    return !electorates.isEmpty()
        && lostMajorityOf == null
        && electorates.stream().allMatch(e -> view.ids().containsAll(e.ids()));
  }

  /** All nodes that may hold a serving lease, once settled. */
  Set<UUID> mayServe() {
    Set<UUID> ids = new HashSet<>();
    electorates.forEach(electorate -> ids.addAll(electorate.ids()));
    return ids;
  }
}
