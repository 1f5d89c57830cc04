package io.trainingday.node.lane;

import io.trainingday.grid.SampleKey;
import io.trainingday.lane.PeerMessage.PeerRead;
import io.trainingday.node.peer.Peer;
import io.trainingday.node.peer.PeerKeys;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.function.Consumer;
import org.agrona.collections.IntArrayList;

/** The calls of one batch to other nodes that are open. On the batch's thread. */
final class OwnerCalls {
  private final BatchRead batch;
  private final LeaseRelay leases;
  private final LaneLatencies latencies;
  private final Consumer<OwnerRead> whenEnded;
  private final Set<OwnerRead> open = new HashSet<>();

  /**
   * @param whenEnded called on a peer's thread
   */
  OwnerCalls(
      BatchRead batch, LeaseRelay leases, LaneLatencies latencies, Consumer<OwnerRead> whenEnded) {
    this.batch = batch;
    this.leases = leases;
    this.latencies = latencies;
    this.whenEnded = whenEnded;
  }

  boolean isEmpty() {
    return open.isEmpty();
  }

  /** Asks one node for some samples, whose records or heads go to {@code places}. */
  void begin(Peer peer, IntArrayList samples, Places places, long waitMillis) {
    int[] positions = samples.toIntArray();
    long[] indices = new long[positions.length];
    long[] sampleVersions = new long[positions.length];
    for (int k = 0; k < positions.length; k++) {
      SampleKey key = batch.key(positions[k]);
      indices[k] = key.index();
      sampleVersions[k] = key.sampleVersion();
    }
    boolean lease = batch.request.lease();
    if (lease) {
      leases.mayLend(peer);
    }
    Freshness freshness = batch.freshness.of(positions);
    OwnerRead call = new OwnerRead(peer, positions, places, ended(waitMillis));
    open.add(call);
    call.send(
        new PeerRead(
            PeerKeys.of(batch.key(positions[0]), batch.dataset.store()),
            lease,
            batch.dataset.verify(),
            places instanceof HeadPlaces,
            Math.toIntExact(waitMillis),
            leases.holder(),
            indices,
            sampleVersions,
            freshness.oldestMillis(),
            freshness.stamps()));
  }

  /** What took no time but that of the other node, and was answered, is timed. */
  private Consumer<OwnerRead> ended(long waitMillis) {
    if (waitMillis > 0) {
      return whenEnded;
    }
    long started = System.nanoTime();
    return call -> {
      if (call.isComplete()) {
        latencies.peerRead(System.nanoTime() - started);
      }
      whenEnded.accept(call);
    };
  }

  /** Removes a call that has ended; false when it was cancelled while its end was under way. */
  boolean end(OwnerRead call) {
    return open.remove(call);
  }

  /** Cancels all calls and returns them: nothing is laid down by them any more. */
  List<OwnerRead> cancelAll() {
    List<OwnerRead> cancelled = List.copyOf(open);
    open.clear();
    cancelled.forEach(OwnerRead::cancel);
    return cancelled;
  }
}
