package io.trainingday.node.peer;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.trainingday.lane.LaneMessage;
import io.trainingday.lane.PeerMessage;
import io.trainingday.lane.PeerMessage.PeerFill;
import java.util.concurrent.CompletableFuture;

/** A request whose answer is due. */
abstract class Pending {
  private final long id;
  private long sentNanos;

  Pending(long id) {
    this.id = id;
  }

  final long id() {
    return id;
  }

  final long sentNanos() {
    return sentNanos;
  }

  final void sentAt(long nanos) {
    sentNanos = nanos;
  }

  /** The request as bytes, to be released by whoever sends them. */
  abstract ByteBuf frame();

  /** The version of the protocol that the request came with. */
  int sinceVersion() {
    return LaneMessage.OLDEST_VERSION;
  }

  /** Whether it keeps this node's serving lease, so that no limit may hold it up. */
  boolean isPing() {
    return false;
  }

  /** There will be no answer. */
  abstract void fail(PeerException why);

  /** A request that is answered by one message. */
  static final class Call extends Pending {
    private final LaneMessage request;
    private final CompletableFuture<LaneMessage> reply = new CompletableFuture<>();

    Call(long id, LaneMessage request) {
      super(id);
      this.request = request;
    }

    CompletableFuture<LaneMessage> reply() {
      return reply;
    }

    @Override
    ByteBuf frame() {
      return request instanceof PeerFill fill
          ? Unpooled.wrappedBuffer(fill.head(id()), fill.record())
          : Unpooled.wrappedBuffer(request.frame(id()));
    }

    @Override
    int sinceVersion() {
      return LaneMessage.sinceVersion(request.type());
    }

    @Override
    boolean isPing() {
      return request instanceof PeerMessage.PeerPing;
    }

    @Override
    void fail(PeerException why) {
      reply.completeExceptionally(why);
    }
  }
}
