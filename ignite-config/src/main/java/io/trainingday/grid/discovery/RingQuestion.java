package io.trainingday.grid.discovery;

import java.util.UUID;
import org.apache.ignite.spi.discovery.tcp.messages.TcpDiscoveryPingRequest;

/**
 * Asks a node how far it is. To Ignite it is a ping, which any node answers from the moment its
 * discovery port is open, in a ring or not.
 */
final class RingQuestion extends TcpDiscoveryPingRequest {
  private static final long serialVersionUID = 0L;

  /** The discovery port of who asks, so that it can be asked back. */
  private final int port;

  RingQuestion(UUID asker, int port) {
    super(asker, null);
    this.port = port;
  }

  int port() {
    return port;
  }
}
