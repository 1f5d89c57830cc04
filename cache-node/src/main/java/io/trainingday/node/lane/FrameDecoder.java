package io.trainingday.node.lane;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.ChannelHandlerContext;
import io.netty.handler.codec.ByteToMessageDecoder;
import io.trainingday.lane.Frame;
import java.nio.ByteBuffer;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Cuts the stream into frames; a length over the limit of the moment is refused at its header.
 * While too much is unsent to a client, its further requests stay what they are, bytes.
 */
final class FrameDecoder extends ByteToMessageDecoder {
  private final Runnable tlsFound;
  private int maxBodyBytes = Frame.MAX_GREETING_BYTES;
  private boolean begun;
  private @Nullable Frame header;

  /** One frame; whoever takes it releases the body. */
  record Received(Frame frame, ByteBuf body) {}

  /**
   * A decoder at the start of its stream.
   *
   * @param tlsFound called when the stream is no stream of frames, but one of TLS
   */
  FrameDecoder(Runnable tlsFound) {
    this.tlsFound = tlsFound;
  }

  /** The limit from now on, once the client is known. */
  void allow(int bodyBytes) {
    maxBodyBytes = bodyBytes;
  }

  @Override
  protected void decode(ChannelHandlerContext context, ByteBuf in, List<Object> out) {
    if (!context.channel().isWritable()) {
      return;
    }
    Frame frame = header;
    if (frame == null) {
      if (in.readableBytes() < Frame.HEADER_BYTES) {
        return;
      }
      if (!begun && TlsGate.looksLikeTls(in)) {
        in.skipBytes(in.readableBytes());
        tlsFound.run();
        return;
      }
      begun = true;
      ByteBuffer bytes = in.nioBuffer(in.readerIndex(), Frame.HEADER_BYTES);
      frame = Frame.read(bytes, maxBodyBytes);
      in.skipBytes(Frame.HEADER_BYTES);
    }
    if (in.readableBytes() < frame.bodyBytes()) {
      header = frame;
      return;
    }
    header = null;
    out.add(new Received(frame, in.readRetainedSlice(frame.bodyBytes())));
  }

  @Override
  public void channelWritabilityChanged(ChannelHandlerContext changed) {
    changed.fireChannelWritabilityChanged();
    if (changed.channel().isWritable() && actualReadableBytes() > 0) {
      // Not from here: this may be called while a frame is being handed on.
      changed.executor().execute(() -> goOn(changed));
    }
  }

  private void goOn(ChannelHandlerContext context) {
    try {
      channelRead(context, Unpooled.EMPTY_BUFFER);
    } catch (Exception e) {
      context.fireExceptionCaught(e);
    }
  }
}
