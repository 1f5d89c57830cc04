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
 * The socket paths, the shared memory and the TCP port of one node: claimed before anything else is
 * started, so that a second node on the same path or port, or a bad one, is refused at once, and
 * the other nodes can be told where this one is.
 */
public final class LaneEndpoint implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(LaneEndpoint.class);

  private final List<LocalSocket> sockets;
  private final SlotBudget budget;
  private final @Nullable TcpPort port;
  private final TcpAccess access;
  private boolean closed;

  private LaneEndpoint(
      List<LocalSocket> sockets, SlotBudget budget, @Nullable TcpPort port, TcpAccess access) {
    this.sockets = List.copyOf(sockets);
    this.budget = budget;
    this.port = port;
    this.access = access;
  }

  /**
   * Claims what the settings name.
   *
   * @throws LaneStartException when a socket, a tenant's directory, the segment directory, the
   *     port, a certificate or the tokens cannot be used
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
      SlotBudget budget = new SlotBudget(lane.slots().maxBytes().bytes());
      List<LocalSocket> sockets = new ArrayList<>();
      sockets.add(LocalSocket.ofDefault(lane, budget));
      claimed.add(sockets.get(0));
      for (Settings.Tenant tenant : lane.tenantList()) {
        if (!tenant.isDefault()) {
          LocalSocket socket = LocalSocket.of(tenant, lane, budget);
          sockets.add(socket);
          claimed.add(socket);
        }
      }
      return new LaneEndpoint(sockets, budget, port, access);
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

  /** The socket of the tenant {@code default}. */
  Path socket() {
    return sockets.get(0).path();
  }

  /** One for each tenant. */
  List<LocalSocket> sockets() {
    return sockets;
  }

  /** The shared memory of all tenants. */
  SlotBudget slots() {
    return budget;
  }

  /** Whether there may be trainers that must not see each other's data. */
  boolean hasTenants() {
    return sockets.size() > 1 || access.hasTokens();
  }

  /** Removes sockets and shared memory, gives the port free. Safe to call again. */
  @Override
  public synchronized void close() {
    if (closed) {
      return;
    }
    closed = true;
    for (LocalSocket socket : sockets) {
      try {
        socket.close();
      } catch (IOException e) {
        LOG.warn("Could not remove the lane's socket {} or its shared memory", socket.path(), e);
      }
    }
    try {
      if (port != null) {
        port.close();
      }
    } catch (IOException e) {
      LOG.warn("Could not give the lane's port free", e);
    }
  }
}
