package io.trainingday.node.peer;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.trainingday.lane.LaneException;
import io.trainingday.lane.PeerMessage;
import io.trainingday.lane.PeerMessage.Entry;
import io.trainingday.lane.PeerMessage.PeerRead;
import io.trainingday.lane.PeerMessage.PeerStatus;
import io.trainingday.node.store.RecordSink;
import java.util.BitSet;
import org.jspecify.annotations.Nullable;

/**
 * A read that another node was asked for.
 *
 * <h2>Who may write to the memory of the batch</h2>
 *
 * The memory belongs to the batch, the right to write to it is lent to this call. It is lent from
 * {@link Peer#read} until {@link #cancel} returns or {@link Landing#ended} was called, whichever is
 * first. The connection's thread holds this object's monitor while it calls the landing or its
 * sink; {@code cancel} takes the same monitor to withdraw the right. So after it nobody writes, and
 * nobody is still writing. It waits at most for the copy of what one read of the socket brought.
 *
 * <p>A cancelled call stays known to its connection until the owner has ended its answer or the
 * connection is gone: bytes that still come go by, and leases that still come are released, because
 * nobody will load for them.
 */
public final class PeerCall extends Pending {
  private final Peer peer;
  private final PeerRead request;
  private final Landing landing;

  // Used by the connection's thread alone.
  private final BitSet answered;
  private int open;
  private int position;
  private @Nullable RecordSink sink;

  // Guarded by this.
  private boolean over;

  PeerCall(Peer peer, long id, PeerRead request, Landing landing) {
    super(id);
    this.peer = peer;
    this.request = request;
    this.landing = landing;
    open = request.indices().length;
    answered = new BitSet(open);
  }

  /**
   * Ends the call: when this returns its landing is not called any more, nor is it being called. To
   * be called without locks that the landing takes. Nothing happens when the call has ended.
   */
  public void cancel() {
    synchronized (this) {
      if (over) {
        return;
      }
      over = true;
    }
    peer.cancel(this);
  }

  @Override
  ByteBuf frame() {
    return Unpooled.wrappedBuffer(request.frame(id()));
  }

  int count() {
    return request.indices().length;
  }

  /** Takes the fixed part of one sample's answer. */
  void entry(Entry entry) {
    position = entry.position();
    if (answered.get(position)) {
      throw malformed("sample at position=%d is answered twice".formatted(position));
    }
    answered.set(position);
    open--;
    boolean late;
    synchronized (this) {
      late = over;
      if (!late) {
        if (entry.status() == PeerStatus.HIT) {
          sink = landing.begin(position, entry.recordBytes(), entry.sentBytes());
        } else {
          landing.missing(position, entry.status(), entry.lease());
        }
      }
    }
    if (late && entry.status() == PeerStatus.LEASED_TO_YOU) {
      peer.releaseLate(
          new PeerMessage.PeerRelease(
              request.keys(),
              request.holder(),
              new long[] {request.indices()[position]},
              new long[] {request.sampleVersions()[position]},
              new long[] {entry.lease()}));
    }
  }

  /** Takes the next bytes of the record announced last. */
  void bytes(long address, int length) {
    RecordSink to = sink;
    if (to != null) {
      synchronized (this) {
        if (!over) {
          to.copy(address, length);
        }
      }
    }
  }

  /** As above, for bytes on the heap. */
  void bytes(byte[] bytes, int offset, int length) {
    RecordSink to = sink;
    if (to != null) {
      synchronized (this) {
        if (!over) {
          to.copy(bytes, offset, length);
        }
      }
    }
  }

  /** The record announced last is complete. */
  void recordEnded() {
    sink = null;
    synchronized (this) {
      if (!over) {
        landing.landed(position);
      }
    }
  }

  /** The last frame was taken. */
  void answerEnded() {
    if (open > 0) {
      throw malformed("%d of %d samples were not answered".formatted(open, count()));
    }
    end(true);
  }

  @Override
  void fail(PeerException why) {
    sink = null;
    end(false);
  }

  private void end(boolean complete) {
    synchronized (this) {
      if (!over) {
        over = true;
        landing.ended(complete);
      }
    }
  }

  private static LaneException malformed(String what) {
    return new LaneException(LaneException.Code.MALFORMED, "answer to PEER_READ: " + what);
  }
}
