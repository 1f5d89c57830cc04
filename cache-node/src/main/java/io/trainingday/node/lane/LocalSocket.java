package io.trainingday.node.lane;

import io.trainingday.config.Settings;
import io.trainingday.config.Settings.SlotWrite;
import io.trainingday.lane.LaneMessage.Role;
import java.io.Closeable;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Optional;
import java.util.Set;

/** The Unix socket of one tenant on this host, and the shared memory of those who come by it. */
final class LocalSocket implements Closeable {
  private static final String FILE = "lane.sock";

  /** The first version of the protocol in which a path may be relative. */
  private static final int RELATIVE_PATHS = 2;

  private final Grant grant;
  private final SocketFile file;
  private final boolean shared;
  private final Segments segments;

  private LocalSocket(Grant grant, SocketFile file, boolean shared, Segments segments) {
    this.grant = grant;
    this.file = file;
    this.shared = shared;
    this.segments = segments;
  }

  /**
   * Claims the socket of the tenant {@code default}.
   *
   * @throws LaneStartException when the socket or the place of the shared memory cannot be used
   */
  static LocalSocket ofDefault(Settings.Lane lane, TenantBudget budget) {
    Path socket = lane.resolvedSocket().toAbsolutePath().normalize();
    Optional<String> group =
        lane.tenantList().stream()
            .filter(Settings.Tenant::isDefault)
            .findAny()
            .flatMap(Settings.Tenant::group);
    if (group.isPresent()) {
      boolean aboveOthers = lane.tenants().size() > 1;
      return claim(lane, socket, group, aboveOthers, Grant.LOCAL, lane.slots().write(), budget);
    }
    SocketFile file = SocketFile.claim("lane.socket", socket);
    try {
      boolean copied = lane.slots().write() == SlotWrite.COPIED;
      return new LocalSocket(
          Grant.LOCAL,
          file,
          false,
          Segments.ofUser(
              lane.segmentDirectory(), limits(lane, Grant.LOCAL.tenant(), budget, copied)));
    } catch (LaneStartException e) {
      throw closing(file, e);
    }
  }

  /**
   * Claims the socket of another tenant.
   *
   * @throws LaneStartException when the directory, the socket or the place of the shared memory
   *     cannot be used
   */
  static LocalSocket of(Settings.Tenant tenant, Settings.Lane lane, TenantBudget budget) {
    Path directory =
        lane.resolvedSocket().toAbsolutePath().normalize().resolveSibling(tenant.name());
    Grant grant =
        new Grant(
            tenant.name(),
            lane.tenantAdmin() ? Set.of(Role.TRAINER, Role.ADMIN) : Set.of(Role.TRAINER));
    SlotWrite write =
        lane.slots().write() == SlotWrite.AUTO ? SlotWrite.COPIED : lane.slots().write();
    return claim(lane, directory.resolve(FILE), tenant.group(), false, grant, write, budget);
  }

  private static LocalSocket claim(
      Settings.Lane lane,
      Path socket,
      Optional<String> group,
      boolean aboveOthers,
      Grant grant,
      SlotWrite write,
      TenantBudget budget) {
    Path directory = socket.resolveSibling("");
    boolean shared = TenantDirectory.prepare(directory, group, aboveOthers);
    SocketFile file = SocketFile.claim("lane.tenants: socket", socket);
    try {
      Segments.Limits limits = limits(lane, grant.tenant(), budget, write == SlotWrite.COPIED);
      return new LocalSocket(grant, file, shared, Segments.beside(directory, shared, limits));
    } catch (LaneStartException e) {
      throw closing(file, e);
    }
  }

  private static Segments.Limits limits(
      Settings.Lane lane, String tenant, TenantBudget budget, boolean copied) {
    return new Segments.Limits(
        tenant, budget, lane.slots().maxBytesPerConnection().bytes(), copied);
  }

  private static LaneStartException closing(SocketFile file, LaneStartException why) {
    try {
      file.close();
    } catch (IOException e) {
      why.addSuppressed(e);
    }
    return why;
  }

  Path path() {
    return file.path();
  }

  /** What who comes by it may do. */
  Grant grant() {
    return grant;
  }

  Segments segments() {
    return segments;
  }

  /** The socket is there: lets the tenant's group connect. */
  void admit() throws IOException {
    if (shared) {
      TenantDirectory.open(path());
    }
  }

  /**
   * What a trainer is told of a file: its path from the socket's directory, which the trainer may
   * see under another name than this node.
   *
   * @param version of the protocol on its connection
   */
  String told(Path of, int version) {
    Path directory = path().resolveSibling("");
    return version >= RELATIVE_PATHS && of.startsWith(directory)
        ? directory.relativize(of).toString()
        : of.toString();
  }

  /** Removes the socket file and the shared memory. */
  @Override
  public void close() throws IOException {
    try (file) {
      segments.close();
    }
  }
}
