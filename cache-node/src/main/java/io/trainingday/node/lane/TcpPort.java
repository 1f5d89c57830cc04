package io.trainingday.node.lane;

import java.io.Closeable;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.StandardSocketOptions;
import java.nio.channels.SocketChannel;

/**
 * The right to listen on one TCP port, from {@link #claim} until {@link #close}: the port is bound,
 * but whoever connects is turned away until somebody listens there. So it is known, and known to be
 * free, before the rest of the node is started.
 */
final class TcpPort implements Closeable {
  private final SocketChannel holder;
  private final String host;
  private final InetSocketAddress address;

  private TcpPort(SocketChannel holder, String host, InetSocketAddress address) {
    this.holder = holder;
    this.host = host;
    this.address = address;
  }

  /**
   * Takes a port.
   *
   * @param host as other hosts reach it
   * @param port 0 for any free one
   * @throws LaneStartException when it is taken or the host is not this one
   */
  static TcpPort claim(String host, int port) {
    InetSocketAddress wanted = new InetSocketAddress(host, port);
    if (wanted.isUnresolved()) {
      throw new LaneStartException(
          "lane.tcp.address=%s is not known, give a name that resolves or an IP address of this host"
              .formatted(host));
    }
    if (wanted.getAddress().isAnyLocalAddress()) {
      throw new LaneStartException(
          "lane.tcp.address=%s is every address of this host, give the one that other hosts reach"
              .formatted(host));
    }
    SocketChannel holder = null;
    try {
      // A socket that is bound but does not listen; with this option another may listen beside it,
      // and none may bind where one listens already.
      holder = SocketChannel.open();
      holder.setOption(StandardSocketOptions.SO_REUSEADDR, true);
      holder.bind(wanted);
      return new TcpPort(holder, host, (InetSocketAddress) holder.getLocalAddress());
    } catch (IOException e) {
      LaneStartException refusal = refusal(host, port, e);
      if (holder != null) {
        try {
          holder.close();
        } catch (IOException suppressed) {
          refusal.addSuppressed(suppressed);
        }
      }
      throw refusal;
    }
  }

  static LaneStartException refusal(String host, int port, Exception cause) {
    return new LaneStartException(
        "lane.tcp.port=%d of lane.tcp.address=%s cannot be listened on: %s; give a free port, or 0 for any, and an address of this host"
            .formatted(port, host, cause.getMessage()),
        cause);
  }

  /** Where to listen. */
  InetSocketAddress address() {
    return address;
  }

  int port() {
    return address.getPort();
  }

  String host() {
    return host;
  }

  /** {@code HOST:PORT} for other hosts, an IPv6 address in brackets. */
  String text() {
    return (host.contains(":") ? "[" + host + "]" : host) + ":" + port();
  }

  @Override
  public void close() throws IOException {
    holder.close();
  }
}
