package io.trainingday.node.lane;

import io.netty.buffer.ByteBuf;
import io.netty.channel.ChannelHandlerContext;
import io.netty.handler.codec.ByteToMessageDecoder;
import io.trainingday.lane.Frame;
import java.nio.ByteBuffer;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** Cuts the stream into frames; a length over the limit of the moment is refused at its header. */
final class FrameDecoder extends ByteToMessageDecoder {
  private int maxBodyBytes = Frame.MAX_GREETING_BYTES;
  private @Nullable Frame header;

  /** One frame; whoever takes it releases the body. */
  record Received(Frame frame, ByteBuf body) {}

  /** The limit from now on, once the client is known. */
  void allow(int bodyBytes) {
    maxBodyBytes = bodyBytes;
  }

  @Override
  protected void decode(ChannelHandlerContext context, ByteBuf in, List<Object> out) {
    Frame frame = header;
    if (frame == null) {
      if (in.readableBytes() < Frame.HEADER_BYTES) {
        return;
      }
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
}
