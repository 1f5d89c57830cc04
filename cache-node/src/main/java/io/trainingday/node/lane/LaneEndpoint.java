package io.trainingday.node.lane;

import io.trainingday.config.Settings;
import java.io.IOException;
import java.nio.file.Path;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The socket path and the shared memory of one node: claimed before anything else is started, so
 * that a second node on the same path, or a bad path, is refused at once.
 */
public final class LaneEndpoint implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(LaneEndpoint.class);

  private final SocketFile socket;
  private final Segments segments;
  private boolean closed;

  private LaneEndpoint(SocketFile socket, Segments segments) {
    this.socket = socket;
    this.segments = segments;
  }

  /**
   * Claims what the settings name.
   *
   * @throws LaneStartException when the socket or the segment directory cannot be used
   */
  public static LaneEndpoint claim(Settings settings) {
    SocketFile socket = SocketFile.claim(settings.lane().resolvedSocket());
    try {
      return new LaneEndpoint(
          socket,
          Segments.open(
              settings.lane().segmentDirectory(),
              settings.lane().slots().maxBytes().bytes(),
              settings.lane().slots().maxBytesPerConnection().bytes()));
    } catch (LaneStartException e) {
      try {
        socket.close();
      } catch (IOException suppressed) {
        e.addSuppressed(suppressed);
      }
      throw e;
    }
  }

  Path socket() {
    return socket.path();
  }

  Segments segments() {
    return segments;
  }

  /** Removes socket and shared memory. Safe to call again. */
  @Override
  public synchronized void close() {
    if (closed) {
      return;
    }
    closed = true;
    try {
      segments.close();
      socket.close();
    } catch (IOException e) {
      LOG.warn("Could not remove the lane's socket or shared memory", e);
    }
  }
}
