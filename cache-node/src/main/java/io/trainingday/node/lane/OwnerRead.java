package io.trainingday.node.lane;

import io.trainingday.lane.PeerMessage.PeerRead;
import io.trainingday.lane.PeerMessage.PeerStatus;
import io.trainingday.node.lane.Places.Outcome;
import io.trainingday.node.peer.Landing;
import io.trainingday.node.peer.Peer;
import io.trainingday.node.peer.PeerCall;
import io.trainingday.node.store.RecordSink;
import java.util.Arrays;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * The part of a batch that one other node is asked for. The peer's thread fills in what becomes of
 * each sample; the batch's thread looks at it once the call has ended or was cancelled, see {@link
 * PeerCall}.
 */
final class OwnerRead implements Landing {
  private final Peer peer;
  private final int[] positions;
  private final Places places;
  private final Consumer<OwnerRead> whenEnded;
  private final Outcome[] outcomes;
  private final long[] leases;
  private final int[] recordBytes;
  private boolean complete;
  private @Nullable PeerCall call;

  /**
   * @param positions in the batch of the samples that are asked for
   * @param whenEnded called on the peer's thread, unless the call is cancelled before
   */
  OwnerRead(Peer peer, int[] positions, Places places, Consumer<OwnerRead> whenEnded) {
    this.peer = peer;
    this.positions = positions;
    this.places = places;
    this.whenEnded = whenEnded;
    outcomes = new Outcome[positions.length];
    Arrays.fill(outcomes, Outcome.UNANSWERED);
    leases = new long[positions.length];
    recordBytes = new int[positions.length];
  }

  void send(PeerRead request) {
    call = peer.read(request, this);
  }

  /** When this returns, nothing is laid down any more. */
  void cancel() {
    if (call != null) {
      call.cancel();
    }
  }

  Peer peer() {
    return peer;
  }

  int[] positions() {
    return positions;
  }

  Places places() {
    return places;
  }

  /** Whether the other node answered all of it. */
  boolean isComplete() {
    return complete;
  }

  /** What became of the {@code k}-th of its samples. */
  Outcome outcome(int k) {
    return outcomes[k];
  }

  /** Bytes of the record of the {@code k}-th, if there is one. */
  int recordBytes(int k) {
    return recordBytes[k];
  }

  /** The lease on the {@code k}-th, as trainers know it. */
  long lease(int k) {
    return LeaseIds.of(peer.number(), leases[k]);
  }

  @Override
  public @Nullable RecordSink begin(int k, int length, int sentBytes) {
    recordBytes[k] = length;
    return places.begin(positions[k], length, sentBytes);
  }

  @Override
  public void landed(int k) {
    outcomes[k] = places.end(positions[k]);
  }

  @Override
  public void missing(int k, PeerStatus status, long lease) {
    leases[k] = lease;
    outcomes[k] =
        switch (status) {
          case MISS -> Outcome.MISS;
          case LEASED_TO_YOU -> Outcome.LEASED_TO_YOU;
          case LEASED_TO_OTHER -> Outcome.LEASED_TO_OTHER;
          case NOT_OWNER -> Outcome.NOT_OWNER;
          case HIT -> throw new IllegalArgumentException("a hit is not missing");
        };
  }

  @Override
  public void ended(boolean whole) {
    complete = whole;
    whenEnded.accept(this);
  }
}
