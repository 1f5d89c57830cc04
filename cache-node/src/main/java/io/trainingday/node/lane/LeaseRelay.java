package io.trainingday.node.lane;

import io.trainingday.grid.SampleKey;
import io.trainingday.lane.PeerMessage;
import io.trainingday.lane.PeerMessage.KeySpace;
import io.trainingday.lane.PeerMessage.PeerCloseHolder;
import io.trainingday.lane.PeerMessage.PeerRelease;
import io.trainingday.lane.PeerMessage.PeerRenew;
import io.trainingday.node.fill.Fills;
import io.trainingday.node.peer.Peer;
import io.trainingday.node.peer.PeerKeys;
import io.trainingday.node.peer.Peers;
import io.trainingday.node.store.RecordStore;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * The leases of one trainer's connection, wherever they were granted: here, or by the owners of
 * other partitions. On the connection's thread. A message to an owner may be lost with the
 * connection to it, which ends the leases just the same.
 */
final class LeaseRelay {
  private final Fills fills;
  private final Peers peers;
  private final long holder;
  private final Set<Peer> lenders = new HashSet<>();

  /** A lease: its key and its number as the trainer knows it. */
  record Lease(SampleKey key, long id) {}

  /** One message goes to one node and is of one variant. */
  private record Told(Peer peer, int variant) {}

  private interface Message {
    PeerMessage of(
        KeySpace keys, long holder, long[] indices, long[] sampleVersions, long[] leases);
  }

  LeaseRelay(Fills fills, Peers peers) {
    this.fills = fills;
    this.peers = peers;
    holder = fills.openHolder();
  }

  /** The number under which this connection holds leases, here and at all owners. */
  long holder() {
    return holder;
  }

  /** Notes that a peer is asked for leases, to be told when the connection ends. */
  void mayLend(Peer peer) {
    lenders.add(peer);
  }

  /** Starts the time of leases anew; all keys are of one data set and pipeline. */
  void renew(List<Lease> leases, RecordStore store) {
    for (Lease lease : leases) {
      if (LeaseIds.granter(lease.id) == LeaseIds.LOCAL) {
        fills.renew(lease.key, holder, LeaseIds.lease(lease.id));
      }
    }
    tellGranters(leases, store, PeerRenew::new);
  }

  /** Gives leases back; all keys are of one data set and pipeline. */
  void release(List<Lease> leases, RecordStore store) {
    for (Lease lease : leases) {
      if (LeaseIds.granter(lease.id) == LeaseIds.LOCAL) {
        fills.release(lease.key, holder, LeaseIds.lease(lease.id));
      }
    }
    tellGranters(leases, store, PeerRelease::new);
  }

  private void tellGranters(List<Lease> leases, RecordStore store, Message message) {
    Map<Told, List<Lease>> byGranter = new LinkedHashMap<>();
    for (Lease lease : leases) {
      int granter = LeaseIds.granter(lease.id);
      Peer peer = granter == LeaseIds.LOCAL ? null : peers.numbered(granter);
      if (peer != null) {
        byGranter
            .computeIfAbsent(new Told(peer, lease.key.variant()), unused -> new ArrayList<>())
            .add(lease);
      }
    }
    byGranter.forEach(
        (told, own) ->
            told.peer.tell(
                message.of(
                    PeerKeys.of(own.get(0).key, store),
                    holder,
                    own.stream().mapToLong(lease -> lease.key.index()).toArray(),
                    own.stream().mapToLong(lease -> lease.key.sampleVersion()).toArray(),
                    own.stream().mapToLong(lease -> LeaseIds.lease(lease.id)).toArray())));
  }

  /** The trainer is gone: its leases end everywhere. */
  void close() {
    fills.closeHolder(holder);
    lenders.forEach(peer -> peer.tell(new PeerCloseHolder(holder)));
  }
}
