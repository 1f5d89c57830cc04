package io.trainingday.node.peer;

import io.netty.buffer.ByteBuf;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.trainingday.lane.Frame;
import io.trainingday.lane.LaneException;
import io.trainingday.lane.LaneMessage;
import io.trainingday.lane.PeerMessage;
import io.trainingday.lane.PeerMessage.BatchHead;
import io.trainingday.lane.PeerMessage.Entry;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import org.jspecify.annotations.Nullable;

/**
 * Takes the stream of replies apart as it comes. The bytes of records go from the socket's buffer
 * straight to where they belong; only small things are gathered: headers, entries, short messages.
 */
final class ReplyDecoder extends ChannelInboundHandlerAdapter {
  private static final int MAX_MESSAGE_BYTES = 1 << 20;

  /** Whom the decoded replies are for. */
  interface Receiver {
    /** Bytes have come, whatever they are. */
    void heard();

    /** A message that is no part of an answer to PEER_READ. */
    void received(long requestId, LaneMessage message);

    /** The read of that id whose answer has not ended, or null. */
    @Nullable PeerCall call(long requestId);

    /** The answer to the read has come to its end. */
    void ended(PeerCall call);
  }

  /** What the next bytes are. */
  private enum Part {
    HEADER,
    MESSAGE,
    BATCH_HEAD,
    ENTRY,
    RECORD
  }

  private final Receiver receiver;
  private final int maxRecordBytes;
  private final ByteBuffer small =
      ByteBuffer.allocate(Frame.HEADER_BYTES).order(ByteOrder.LITTLE_ENDIAN);
  private ByteBuffer gathered = small;
  private Part part = Part.HEADER;
  private Frame frame = new Frame(0, 0, 0);
  private @Nullable PeerCall call;
  private boolean last;

  /** Of the frame and of the record that are being read. */
  private int frameBytesLeft;

  private int recordBytesLeft;

  ReplyDecoder(Receiver receiver, int maxRecordBytes) {
    this.receiver = receiver;
    this.maxRecordBytes = maxRecordBytes;
  }

  @Override
  public void channelRead(ChannelHandlerContext context, Object message) {
    ByteBuf in = (ByteBuf) message;
    try {
      receiver.heard();
      while (in.isReadable() && context.channel().isOpen()) {
        if (part == Part.RECORD) {
          takeRecord(in);
        } else if (gather(in)) {
          gathered.flip();
          takeGathered();
        }
      }
    } finally {
      in.release();
    }
  }

  /** Moves bytes over until what is gathered is complete; false when more must come. */
  private boolean gather(ByteBuf in) {
    int count = Math.min(gathered.remaining(), in.readableBytes());
    int limit = gathered.limit();
    in.readBytes(gathered.limit(gathered.position() + count));
    gathered.limit(limit);
    return !gathered.hasRemaining();
  }

  private void takeGathered() {
    switch (part) {
      case HEADER -> takeHeader();
      case MESSAGE -> {
        receiver.received(frame.requestId(), LaneMessage.decode(frame.type(), gathered));
        expect(Part.HEADER, Frame.HEADER_BYTES);
      }
      case BATCH_HEAD -> {
        last = BatchHead.read(gathered).last();
        takeFromFrame(BatchHead.BYTES);
        nextEntry();
      }
      case ENTRY -> takeEntry();
      case RECORD -> throw new IllegalStateException("records are not gathered");
    }
  }

  private void takeHeader() {
    frame = Frame.read(gathered, Integer.MAX_VALUE);
    if (frame.type() == PeerMessage.BATCH_TYPE) {
      call = receiver.call(frame.requestId());
      if (call == null) {
        throw malformed("request id=%d is not under way".formatted(frame.requestId()));
      }
      frameBytesLeft = frame.bodyBytes();
      expect(Part.BATCH_HEAD, BatchHead.BYTES);
      return;
    }
    if (frame.bodyBytes() > MAX_MESSAGE_BYTES) {
      throw malformed(
          "message type %d has %d bytes, allowed: %d"
              .formatted(frame.type(), frame.bodyBytes(), MAX_MESSAGE_BYTES));
    }
    part = Part.MESSAGE;
    gathered = ByteBuffer.allocate(frame.bodyBytes());
    if (frame.bodyBytes() == 0) {
      takeGathered();
    }
  }

  private void takeEntry() {
    PeerCall current = current();
    Entry entry = Entry.read(gathered, current.count(), maxRecordBytes);
    takeFromFrame(Entry.BYTES + (long) entry.sentBytes());
    current.entry(entry);
    recordBytesLeft = entry.sentBytes();
    if (entry.status() != PeerMessage.PeerStatus.HIT) {
      nextEntry();
    } else if (recordBytesLeft == 0) {
      current.recordEnded();
      nextEntry();
    } else {
      part = Part.RECORD;
    }
  }

  private void takeRecord(ByteBuf in) {
    PeerCall current = current();
    int count = Math.min(recordBytesLeft, in.readableBytes());
    if (in.hasMemoryAddress()) {
      current.bytes(in.memoryAddress() + in.readerIndex(), count);
    } else if (in.hasArray()) {
      current.bytes(in.array(), in.arrayOffset() + in.readerIndex(), count);
    } else {
      byte[] copy = new byte[count];
      in.getBytes(in.readerIndex(), copy);
      current.bytes(copy, 0, count);
    }
    in.skipBytes(count);
    recordBytesLeft -= count;
    if (recordBytesLeft == 0) {
      current.recordEnded();
      nextEntry();
    }
  }

  private void nextEntry() {
    if (frameBytesLeft > 0) {
      expect(Part.ENTRY, Entry.BYTES);
      return;
    }
    if (last) {
      PeerCall current = current();
      current.answerEnded();
      receiver.ended(current);
    }
    call = null;
    expect(Part.HEADER, Frame.HEADER_BYTES);
  }

  private void expect(Part next, int bytes) {
    part = next;
    gathered = small.clear().limit(bytes);
  }

  private void takeFromFrame(long bytes) {
    if (bytes > frameBytesLeft) {
      throw malformed(
          "the frame ends %d bytes early: an entry passes it".formatted(bytes - frameBytesLeft));
    }
    frameBytesLeft -= (int) bytes;
  }

  private PeerCall current() {
    PeerCall current = call;
    if (current == null) {
      throw new IllegalStateException("no answer is being read");
    }
    return current;
  }

  private static LaneException malformed(String what) {
    return new LaneException(LaneException.Code.MALFORMED, "reply of a peer: " + what);
  }
}
