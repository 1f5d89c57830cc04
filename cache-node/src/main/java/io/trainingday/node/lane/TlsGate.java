package io.trainingday.node.lane;

import io.netty.buffer.ByteBuf;
import io.netty.channel.ChannelHandlerContext;
import io.netty.handler.codec.ByteToMessageDecoder;
import io.netty.handler.ssl.SslHandler;
import java.util.List;
import javax.net.ssl.SSLEngine;

/**
 * First in a connection that must be encrypted: makes way for TLS, or finds that the other side
 * speaks none, which is the one time it can be told so in plain words.
 */
final class TlsGate extends ByteToMessageDecoder {
  private static final int SEEN_BYTES = 3;
  private static final int HANDSHAKE = 0x16;
  private static final int MAJOR_VERSION = 3;

  private final SSLEngine engine;
  private final Runnable plain;

  /**
   * A gate.
   *
   * @param plain called when the first bytes are no TLS
   */
  TlsGate(SSLEngine engine, Runnable plain) {
    this.engine = engine;
    this.plain = plain;
  }

  @Override
  protected void decode(ChannelHandlerContext context, ByteBuf in, List<Object> out) {
    if (in.readableBytes() < SEEN_BYTES) {
      return;
    }
    if (looksLikeTls(in)) {
      SslHandler tls = new SslHandler(engine);
      // The whole greeting has one deadline, which the connection keeps.
      tls.setHandshakeTimeoutMillis(0);
      context.pipeline().replace(this, "tls", tls);
    } else {
      in.skipBytes(in.readableBytes());
      plain.run();
    }
  }

  /**
   * Whether a TLS handshake begins here. A frame of the lane never looks so before HELLO: its third
   * byte would mean a length over the limit.
   */
  static boolean looksLikeTls(ByteBuf in) {
    int at = in.readerIndex();
    return in.readableBytes() >= SEEN_BYTES
        && in.getUnsignedByte(at) == HANDSHAKE
        && in.getUnsignedByte(at + 1) == MAJOR_VERSION
        && in.getUnsignedByte(at + 2) != 0;
  }
}
