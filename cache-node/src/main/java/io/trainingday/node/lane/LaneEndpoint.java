package io.trainingday.node.lane;

import io.trainingday.config.Settings;
import io.trainingday.lane.LaneAccess;
import java.io.Closeable;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The socket path, the shared memory and the TCP port of one node: claimed before anything else is
 * started, so that a second node on the same path or port, or a bad one, is refused at once, and
 * the other nodes can be told where this one is.
 */
public final class LaneEndpoint implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(LaneEndpoint.class);

  private final SocketFile socket;
  private final Segments segments;
  private final @Nullable TcpPort port;
  private final TcpAccess access;
  private boolean closed;

  private LaneEndpoint(
      SocketFile socket, Segments segments, @Nullable TcpPort port, TcpAccess access) {
    this.socket = socket;
    this.segments = segments;
    this.port = port;
    this.access = access;
  }

  /**
   * Claims what the settings name.
   *
   * @throws LaneStartException when the socket, the segment directory, the port, a certificate or
   *     the tokens cannot be used
   */
  public static LaneEndpoint claim(Settings settings) {
    Settings.Lane lane = settings.lane();
    List<Closeable> claimed = new ArrayList<>();
    try {
      TcpAccess access = TcpAccess.of(lane);
      TcpPort port = null;
      if (lane.tcp().enabled()) {
        String host = lane.tcp().address().orElse(settings.grid().localAddress());
        port = TcpPort.claim(host, lane.tcp().port());
        claimed.add(port);
      }
      SocketFile socket = SocketFile.claim(lane.resolvedSocket());
      claimed.add(socket);
      Segments segments =
          Segments.open(
              lane.segmentDirectory(),
              lane.slots().maxBytes().bytes(),
              lane.slots().maxBytesPerConnection().bytes());
      return new LaneEndpoint(socket, segments, port, access);
    } catch (LaneStartException e) {
      for (Closeable one : claimed) {
        try {
          one.close();
        } catch (IOException suppressed) {
          e.addSuppressed(suppressed);
        }
      }
      throw e;
    }
  }

  /** {@code HOST:PORT} of the lane over TCP, empty where there is none. */
  public Optional<String> tcpAddress() {
    return Optional.ofNullable(port).map(TcpPort::text);
  }

  /** What this node shows when it connects to another one now. */
  public LaneAccess toPeers() {
    return access.toPeers();
  }

  @Nullable TcpPort port() {
    return port;
  }

  TcpAccess access() {
    return access;
  }

  Path socket() {
    return socket.path();
  }

  Segments segments() {
    return segments;
  }

  /** Removes socket and shared memory, gives the port free. Safe to call again. */
  @Override
  public synchronized void close() {
    if (closed) {
      return;
    }
    closed = true;
    try {
      segments.close();
      socket.close();
      if (port != null) {
        port.close();
      }
    } catch (IOException e) {
      LOG.warn("Could not remove the lane's socket or shared memory", e);
    }
  }
}
