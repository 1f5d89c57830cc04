package io.trainingday.node.lane;

import io.netty.buffer.Unpooled;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.WriteBufferWaterMark;
import io.trainingday.grid.SampleKey;
import io.trainingday.lane.LaneException;
import io.trainingday.lane.LaneException.Code;
import io.trainingday.lane.LaneMessage;
import io.trainingday.lane.PeerMessage;
import io.trainingday.lane.PeerMessage.PeerFill;
import io.trainingday.lane.PeerMessage.PeerFillReply;
import io.trainingday.lane.PeerMessage.PeerFillResult;
import io.trainingday.lane.PeerMessage.PeerPong;
import io.trainingday.lane.PeerMessage.PeerRead;
import io.trainingday.lane.PeerMessage.PeerRelease;
import io.trainingday.lane.PeerMessage.PeerRenew;
import io.trainingday.node.fill.Fills;
import io.trainingday.node.ownership.OwnershipTable;
import io.trainingday.node.peer.PeerKeys;
import io.trainingday.node.peer.Ping;
import io.trainingday.node.peer.Pong;
import io.trainingday.node.store.RecordStore;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.Iterator;
import java.util.LinkedHashSet;
import java.util.Map;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.RejectedExecutionException;
import org.jspecify.annotations.Nullable;

/** What another node asks of this one over its connection. On the connection's thread. */
final class PeerSession {
  private static final int MAX_READS = 4_096;
  private static final int MAX_HOLDERS = 65_536;

  /** What was made and not sent yet: enough to keep the socket busy, little to wait behind. */
  private static final WriteBufferWaterMark UNSENT = new WriteBufferWaterMark(512 << 10, 1 << 20);

  private final LaneServer server;
  private final ChannelHandlerContext context;
  private final boolean wantsOldestFormat;
  private final Map<Long, Long> holders = new HashMap<>();
  private final Map<Long, PeerStream> reads = new HashMap<>();
  private final Set<Long> turns = new LinkedHashSet<>();
  private @Nullable UUID peer;
  private boolean turnDue;

  /**
   * @param wantsOldestFormat whether the node is of the release before and reads no newer records
   */
  PeerSession(LaneServer server, ChannelHandlerContext context, boolean wantsOldestFormat) {
    this.server = server;
    this.context = context;
    this.wantsOldestFormat = wantsOldestFormat;
    context.channel().config().setWriteBufferWaterMark(UNSENT);
  }

  /** The node at the other end, once it has introduced itself. */
  @Nullable UUID peer() {
    return peer;
  }

  void receive(long requestId, PeerMessage message) {
    if (message instanceof PeerMessage.Introduce introduce) {
      meet(requestId, introduce);
    } else if (peer == null) {
      throw new LaneException(
          Code.MALFORMED, "message type %d before INTRODUCE".formatted(message.type()));
    } else if (message instanceof PeerRead read) {
      read(requestId, read);
    } else if (message instanceof PeerMessage.PeerCancel cancel) {
      cancel(cancel.request());
    } else if (message instanceof PeerFill fill) {
      send(requestId, fill(fill));
    } else if (message instanceof PeerRenew renew) {
      renew(renew);
    } else if (message instanceof PeerRelease release) {
      release(release);
    } else if (message instanceof PeerMessage.PeerCloseHolder close) {
      Long holder = holders.remove(close.holder());
      if (holder != null) {
        server.fills().closeHolder(holder);
      }
    } else if (message instanceof PeerMessage.PeerAsk ask) {
      answer(requestId, ask.json());
    } else if (message instanceof PeerMessage.PeerPing ping) {
      Pong pong = server.pings().pinged(new Ping(ping.from(), ping.freeBytes()));
      send(requestId, new PeerPong(pong.refused(), pong.freeBytes()));
    } else {
      throw new LaneException(
          Code.MALFORMED, "message type %d is no request".formatted(message.type()));
    }
  }

  /** Elsewhere: it may look through a partition. */
  private void answer(long requestId, String question) {
    try {
      server.answering().execute(() -> send(requestId, answerTo(question)));
    } catch (RejectedExecutionException full) {
      throw new LaneException(Code.TOO_MANY, "too many questions wait on this node; ask again");
    }
  }

  private LaneMessage answerTo(String question) {
    try {
      String json = server.services().inquiries().answer(question);
      int bytes = json.getBytes(StandardCharsets.UTF_8).length;
      if (bytes > PeerMessage.MAX_ANSWER_BYTES) {
        throw new LaneException(
            Code.TOO_LARGE,
            "the answer has %d bytes, allowed: %d".formatted(bytes, PeerMessage.MAX_ANSWER_BYTES));
      }
      return new PeerMessage.PeerAnswer(json);
    } catch (RuntimeException e) {
      return LaneMessage.Failure.of(Connection.asRefusal(e));
    }
  }

  private void meet(long requestId, PeerMessage.Introduce introduce) {
    if (peer != null) {
      throw new LaneException(Code.MALFORMED, "a second INTRODUCE");
    }
    UUID own = server.peers().localId();
    if (!introduce.to().equals(own)) {
      throw new LaneException(
          Code.REFUSED, "this is node %s, not node %s".formatted(own, introduce.to()));
    }
    peer = introduce.from();
    send(requestId, LaneMessage.Done.to(introduce));
  }

  private void read(long requestId, PeerRead request) {
    if (reads.size() >= MAX_READS) {
      throw new LaneException(
          Code.TOO_MANY, "reads in flight=%d, allowed: %d".formatted(reads.size() + 1, MAX_READS));
    }
    PeerStream stream =
        new PeerStream(
            server,
            context,
            requestId,
            request,
            wantsOldestFormat,
            request.lease() ? holder(request.holder()) : 0,
            () -> giveTurn(requestId));
    if (reads.putIfAbsent(requestId, stream) != null) {
      throw new LaneException(
          Code.MALFORMED, "request id=%d is in flight already".formatted(requestId));
    }
    giveTurn(requestId);
  }

  private long holder(long ofPeer) {
    Long known = holders.get(ofPeer);
    if (known == null) {
      if (holders.size() >= MAX_HOLDERS) {
        throw new LaneException(
            Code.TOO_MANY,
            "holders of leases=%d, allowed: %d".formatted(holders.size() + 1, MAX_HOLDERS));
      }
      known = server.fills().openHolder();
      holders.put(ofPeer, known);
    }
    return known;
  }

  private void cancel(long requestId) {
    PeerStream stream = reads.remove(requestId);
    if (stream != null) {
      stream.end();
      send(requestId, LaneMessage.Failure.of(new LaneException(Code.FAILED, "cancelled")));
    }
  }

  // Streams take turns, one frame each, as long as the socket has room.

  private void giveTurn(long requestId) {
    turns.add(requestId);
    takeTurns();
  }

  /** Lets the thread's other connections in between, too: each turn is a task of its own. */
  void takeTurns() {
    if (!turnDue && !turns.isEmpty() && context.channel().isWritable()) {
      turnDue = true;
      context.channel().eventLoop().execute(this::takeTurn);
    }
  }

  private void takeTurn() {
    turnDue = false;
    if (!context.channel().isActive() || !context.channel().isWritable()) {
      return;
    }
    Iterator<Long> first = turns.iterator();
    if (!first.hasNext()) {
      return;
    }
    long requestId = first.next();
    first.remove();
    PeerStream stream = reads.get(requestId);
    if (stream != null && stream.isReady()) {
      try {
        stream.writeFrame();
      } catch (RuntimeException e) {
        stream.end();
        send(requestId, LaneMessage.Failure.of(Connection.asRefusal(e)));
      }
      if (stream.isOver()) {
        reads.remove(requestId);
      } else if (stream.isReady()) {
        turns.add(requestId);
      }
    }
    takeTurns();
  }

  private PeerFillReply fill(PeerFill fill) {
    SampleKey key = PeerKeys.key(fill.keys(), fill.index(), fill.sampleVersion());
    OwnershipTable table = server.ownership().table(fill.keys().backups());
    if (!fill.copy() && !table.primary(table.partition(key.index())).local()) {
      return new PeerFillReply(PeerFillResult.NOT_OWNER, "");
    }
    ByteBuffer bytes = fill.record();
    byte[] record = new byte[bytes.remaining()];
    bytes.get(record);
    if (fill.verify()
        && !Copiers.tools().checksum().matches(ByteBuffer.wrap(record), 0, record.length)) {
      return new PeerFillReply(PeerFillResult.DAMAGED, "");
    }
    RecordStore store = server.store(fill.keys());
    if (!fill.copy()) {
      server.services().traces().kept(key, store.backups());
    }
    Fills.Submitted submitted =
        fill.copy()
            ? server.fills().submitCopy(store, key, record)
            : server.fills().submit(store, key, record);
    return switch (submitted) {
      case TAKEN, REPEATED -> new PeerFillReply(PeerFillResult.TAKEN, "");
      case BUSY -> new PeerFillReply(PeerFillResult.BUSY, "");
      case NO_ROOM, TOO_LARGE, CLOSED ->
          new PeerFillReply(PeerFillResult.DROPPED, FillIntake.reason(submitted));
    };
  }

  private void renew(PeerRenew renew) {
    Long holder = holders.get(renew.holder());
    for (int i = 0; holder != null && i < renew.indices().length; i++) {
      server
          .fills()
          .renew(
              PeerKeys.key(renew.keys(), renew.indices()[i], renew.sampleVersions()[i]),
              holder,
              renew.leases()[i]);
    }
  }

  private void release(PeerRelease release) {
    Long holder = holders.get(release.holder());
    for (int i = 0; holder != null && i < release.indices().length; i++) {
      server
          .fills()
          .release(
              PeerKeys.key(release.keys(), release.indices()[i], release.sampleVersions()[i]),
              holder,
              release.leases()[i]);
    }
  }

  /** The connection is gone: all leases of its holders end. */
  void close() {
    reads.values().forEach(PeerStream::end);
    reads.clear();
    turns.clear();
    holders.values().forEach(server.fills()::closeHolder);
    holders.clear();
  }

  private void send(long requestId, LaneMessage message) {
    var unused =
        context.writeAndFlush(
            Unpooled.wrappedBuffer(message.frame(requestId)), context.voidPromise());
  }
}
