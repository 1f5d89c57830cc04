package io.trainingday.node.peer;

import io.netty.buffer.ByteBufAllocator;
import io.netty.channel.ChannelHandler;
import io.netty.handler.ssl.SslHandler;
import io.trainingday.lane.LaneAccess;
import java.util.Optional;

/** How this node shows itself to other nodes, and how the way to them is encrypted. */
public interface PeerSecurity {
  /** The token that grants the role of a peer; empty where none is asked for. */
  String token();

  /** What encrypts a new connection: the first handler of its pipeline. */
  Optional<ChannelHandler> encryption(ByteBufAllocator allocator, String host, int port);

  /** What this node's settings say. */
  static PeerSecurity of(LaneAccess access) {
    return new PeerSecurity() {
      @Override
      public String token() {
        return access.token();
      }

      @Override
      public Optional<ChannelHandler> encryption(
          ByteBufAllocator allocator, String host, int port) {
        return Optional.ofNullable(access.tls()).map(tls -> new SslHandler(tls.client(host, port)));
      }
    };
  }

  /** Neither a token nor encryption. */
  static PeerSecurity none() {
    return new PeerSecurity() {
      @Override
      public String token() {
        return "";
      }

      @Override
      public Optional<ChannelHandler> encryption(
          ByteBufAllocator allocator, String host, int port) {
        return Optional.empty();
      }
    };
  }
}
