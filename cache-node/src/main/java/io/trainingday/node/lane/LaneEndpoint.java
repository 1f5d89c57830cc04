package io.trainingday.node.lane;

import io.trainingday.config.Settings;
import io.trainingday.lane.LaneAccess;
import java.io.Closeable;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;
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
  private final TenantBudget budget;
  private final @Nullable TcpPort port;
  private final TcpAccess access;
  private boolean closed;

  private LaneEndpoint(
      List<LocalSocket> sockets, TenantBudget budget, @Nullable TcpPort port, TcpAccess access) {
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
      TenantBudget budget = new TenantBudget(lane.slots().maxBytes().bytes());
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
      LaneEndpoint endpoint = new LaneEndpoint(sockets, budget, port, access);
      Set<String> tenants = endpoint.localTenants();
      long part = TenantBudget.part(budget.max(), tenants.size());
      budget.keep(tenants.stream().collect(Collectors.toMap(name -> name, name -> part)));
      return endpoint;
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

  /**
   * Reads the lane's certificates again; new connections go by them, of either direction.
   *
   * @return whether they say anything new
   * @throws LaneStartException when one cannot be used; what was read before holds on
   */
  public boolean reloadTls() {
    return access.reloadTls();
  }

  /** When the certificate that the lane shows ends to be valid, empty without TLS. */
  public Optional<Instant> certificateExpiry() {
    return access.expiry();
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

  private Set<String> localTenants() {
    return sockets.stream().map(socket -> socket.grant().tenant()).collect(Collectors.toSet());
  }

  /** Whose connections there may be: by a socket of this host, or a token. */
  Set<String> tenants() {
    Set<String> all = new HashSet<>(localTenants());
    all.addAll(access.tenants());
    return all;
  }

  /** The shared memory of all tenants. */
  TenantBudget slots() {
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
