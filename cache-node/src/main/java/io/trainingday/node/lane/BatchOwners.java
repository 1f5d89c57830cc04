package io.trainingday.node.lane;

import io.trainingday.node.ownership.Member;
import io.trainingday.node.ownership.OwnershipTable;
import io.trainingday.node.peer.Peer;
import java.util.BitSet;
import java.util.HashSet;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** Who has the samples of one batch, by the ownership table and by what was found out since. */
final class BatchOwners {
  private final LaneServer server;
  private final BatchRead batch;
  private final boolean alone;
  private final Set<Peer> failed = new HashSet<>();
  private final BitSet elsewhere = new BitSet();
  private final BitSet fromPeers = new BitSet();
  private final BitSet lostCopies = new BitSet();
  private OwnershipTable table;

  BatchOwners(LaneServer server, BatchRead batch) {
    this.server = server;
    this.batch = batch;
    table = newestTable();
    alone = table.members().size() == 1;
  }

  /** Whether this node was the only one when the batch began: then it has all there is. */
  boolean isAlone() {
    return alone;
  }

  /** Looks up everything in the newest table from now on. */
  void refresh() {
    table = newestTable();
  }

  /** Looks whether there is a newer table than the one that is used. */
  boolean isStale() {
    if (newestTable() == table) {
      server.ownership().look();
    }
    return newestTable() != table;
  }

  private OwnershipTable newestTable() {
    return server.ownership().table(batch.dataset.store().backups());
  }

  /** Whether this node keeps the leases of sample {@code i}. */
  boolean isPrimaryHere(int i) {
    return alone || table.primary(partition(i)).local();
  }

  boolean isPrimary(Peer peer, int i) {
    return table.primary(partition(i)).id().equals(peer.member().id());
  }

  /** Whether sample {@code i} is to be read here: as the primary's, or from a backup's copy. */
  boolean isReadHere(int i) {
    int partition = partition(i);
    Member primary = table.primary(partition);
    elsewhere.set(i, !isThisHost(primary));
    if (primary.local()) {
      return true;
    }
    boolean copy =
        table.isLocal(partition)
            && !lostCopies.get(i)
            && batch.dataset.store().contains(batch.key(i));
    if (copy) {
      elsewhere.clear(i);
    }
    return copy;
  }

  /** The copy of sample {@code i} here, that of a backup, is gone. */
  void lostCopy(int i) {
    lostCopies.set(i);
  }

  /**
   * The node to ask for sample {@code i}: its primary, or the first backup after it where that has
   * failed this batch; null for none.
   */
  @Nullable Peer toAsk(int i) {
    for (Member member : table.copies(partition(i))) {
      Peer peer = member.local() ? null : server.peers().of(member);
      if (peer != null && !failed.contains(peer)) {
        return peer;
      }
    }
    return null;
  }

  /** A node did not answer: this batch asks it nothing more. */
  void failed(Peer peer) {
    failed.add(peer);
  }

  /** Sample {@code i} came from that node. */
  void cameFrom(Member member, int i) {
    elsewhere.set(i, !isThisHost(member));
    fromPeers.set(i);
  }

  /** Whether sample {@code i} was read on another node, be it on this host. */
  boolean cameFromPeer(int i) {
    return fromPeers.get(i);
  }

  void cameFromHere(int i) {
    elsewhere.clear(i);
  }

  /** Whether sample {@code i} came from another host, or would have come from there. */
  boolean isElsewhere(int i) {
    return elsewhere.get(i);
  }

  private boolean isThisHost(Member member) {
    return member.local() || member.hostId().equals(server.limits().hostId());
  }

  private int partition(int i) {
    return table.partition(batch.key(i).index());
  }
}
