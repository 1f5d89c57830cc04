package io.trainingday.node.lane;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import io.trainingday.config.SettingKey;
import io.trainingday.config.Settings;
import io.trainingday.lane.LaneException.Code;
import io.trainingday.lane.LaneMessage;
import io.trainingday.lane.LaneMessage.Batch;
import io.trainingday.lane.LaneMessage.Role;
import io.trainingday.lane.LaneMessage.Shape;
import io.trainingday.lane.LaneMessage.Status;
import io.trainingday.node.CacheNode;
import io.trainingday.node.SharedDirectory;
import io.trainingday.node.TestNodes;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** One socket a tenant, all of this user; {@code OtherUsersIT} has several. */
class TenantSocketsTest {
  private static final int SIDE = 50;
  private static final long SLOT = 64 << 10;

  private static SharedDirectory directory;
  private static CacheNode node;
  private static int group;

  @BeforeAll
  static void launch() throws IOException {
    directory = new SharedDirectory();
    group = (int) Files.getAttribute(Path.of("/proc/self"), "unix:gid");
    Path crashed = Files.createDirectories(tenant("team-a").resolve(".segments/node-crashed"));
    Files.createFile(crashed.resolve("segment-1"));
    Files.setPosixFilePermissions(tenant("team-a"), PosixFilePermissions.fromString("rwxr-xr-x"));
    node = CacheNode.launch(settings("default:" + group, "team-a:" + group, "team-b").build());
    assertThat(crashed).doesNotExist();
  }

  private static Settings.Builder settings(String... tenants) {
    return TestNodes.settings(directory.path()).set(SettingKey.LANE_TENANTS, List.of(tenants));
  }

  private static Path tenant(String name) {
    return directory.path().resolve(name);
  }

  private static Path socket(String tenant) {
    return tenant(tenant).resolve("lane.sock");
  }

  @AfterAll
  static void stop() throws IOException {
    node.close();
    assertThat(socket("team-a")).doesNotExist();
    try (Stream<Path> left = Files.list(tenant("team-a").resolve(".segments"))) {
      assertThat(left).extracting(Path::getFileName).containsExactly(Path.of("lock"));
    }
    directory.close();
  }

  private static int mode(Path file) throws IOException {
    return (int) Files.getAttribute(file, "unix:mode") & 07777;
  }

  @Test
  void directories_letTheirGroupPass_andNobodyElse() throws IOException {
    // Others pass through it, to their own.
    assertThat(mode(directory.path())).isEqualTo(02711);
    assertThat(mode(tenant("team-a"))).isEqualTo(02710);
    assertThat(mode(tenant("team-a").resolve(".segments"))).isEqualTo(02710);
    assertThat(mode(socket("team-a"))).isEqualTo(0660);
    assertThat(mode(node.socket())).isEqualTo(0660);
    assertThat(mode(tenant("team-b"))).isIn(0700, 02700);
    for (String file : List.of("lane.sock.lock", ".segments/lock")) {
      assertThat(mode(tenant("team-a").resolve(file))).as(file).isEqualTo(0600);
    }
  }

  @Test
  void dataSets_ofOneNameInTwoTenants_areTwo() throws IOException {
    try (RawClient first = RawClient.greeted(socket("team-a"));
        RawClient second = RawClient.greeted(socket("team-b"))) {
      int handle = first.open("pictures", 10);
      fill(first, handle, 3);

      assertThat(status(first, handle, 3)).isEqualTo(Status.HIT);
      assertThat(status(second, second.open("pictures", 20), 3)).isEqualTo(Status.MISS);
    }
  }

  private static Status status(RawClient client, int handle, long index) throws IOException {
    return client.read(handle, Shape.RECORDS, false, 0, index).as(Batch.class).statuses()[0];
  }

  private static void fill(RawClient client, int handle, long index) throws IOException {
    Batch cold = client.read(handle, Shape.RECORDS, true, 0, index).as(Batch.class);
    client.fill(handle, index, cold.leases()[0], cold.leaseVersions()[0], record(index));
  }

  private static byte[] record(long index) {
    return RawClient.record(index, SIDE, 0, 1_000);
  }

  @Test
  void admin_isGrantedToTheDefaultTenantAlone_unlessTheSettingsSaySo() throws IOException {
    try (RawClient ours = new RawClient(node.socket());
        RawClient theirs = new RawClient(socket("team-a"))) {
      ours.greet(Role.ADMIN, "");
      LaneMessage.Failure refusal =
          theirs.call(RawClient.hello(Role.ADMIN, "")).as(LaneMessage.Failure.class);

      assertThat(refusal.code()).isEqualTo(Code.DENIED);
      assertThat(refusal.message())
          .isEqualTo(
              "role admin is not granted, but trainer; use another token or way to the node");
    }
    Settings.Lane granting =
        settings("team-c").set(SettingKey.LANE_TENANT_ADMIN, true).build().lane();
    try (LocalSocket socket =
        LocalSocket.of(granting.tenantList().get(0), granting, new TenantBudget(1 << 20))) {
      assertThat(socket.grant().roles()).containsExactlyInAnyOrder(Role.TRAINER, Role.ADMIN);
    }
  }

  @Test
  void segment_isToldFromTheSocketsDirectory_butToOlderClientsAsTheNodeSeesIt() throws IOException {
    try (RawClient newer = RawClient.greeted(socket("team-a"));
        RawClient older = new RawClient(socket("team-a"))) {
      older.call(new LaneMessage.Hello(1, 1, Role.TRAINER, "", "old"));

      assertThat(path(newer)).startsWith(".segments/node-");
      Path absolute = Path.of(path(older));
      assertThat(absolute).startsWith(tenant("team-a").resolve(".segments"));
      assertThat(mode(absolute)).isEqualTo(0660);
      assertThat(mode(absolute.resolveSibling(""))).isEqualTo(02710);
    }
  }

  private static String path(RawClient client) throws IOException {
    return client.call(new LaneMessage.Segment(SLOT, 1)).as(LaneMessage.SegmentReply.class).path();
  }

  /** Mapped in the node, this would be a SIGBUS there. */
  @Test
  void segment_cutShortByItsTrainer_isNotTheNodesHarm() throws IOException {
    try (RawClient client = RawClient.greeted(socket("team-a"))) {
      int handle = client.open("cut", 10);
      fill(client, handle, 3);
      LaneMessage.SegmentReply segment =
          client.call(new LaneMessage.Segment(SLOT, 2)).as(LaneMessage.SegmentReply.class);
      try (FileChannel file =
          FileChannel.open(
              tenant("team-a").resolve(segment.path()),
              StandardOpenOption.READ,
              StandardOpenOption.WRITE)) {
        file.truncate(0);
        Batch batch = intoSlot(client, handle, segment.segment());

        assertThat(batch.statuses()).containsExactly(Status.HIT);
        ByteBuffer record = ByteBuffer.allocate((int) batch.payloadBytes());
        file.read(record, SLOT);
        // The node puts a number of its own into the header.
        byte[] expected = record(3);
        assertThat(record.array()).contains(Arrays.copyOfRange(expected, 64, expected.length));
      }
    }
    await().until(() -> node.stats().lane().slotsBytes() == 0);
  }

  private static Batch intoSlot(RawClient client, int handle, int segment) throws IOException {
    return client
        .call(new LaneMessage.Read(handle, Shape.RECORDS, false, 0, segment, 1, 0, new long[] {3}))
        .as(Batch.class);
  }

  @Test
  void directory_thatOthersMayChange_isRefused() throws IOException {
    Path open = Files.createDirectory(tenant("open"));
    Files.setPosixFilePermissions(open, PosixFilePermissions.fromString("rwxrwx---"));

    assertThatThrownBy(() -> claim("open"))
        .isInstanceOf(LaneStartException.class)
        .hasMessageMatching(
            "lane.tenants: .*/open has mode 2?770, so that others could replace the socket in it; take"
                + " write permission from them \\(chmod go-w\\), or name its group in lane.tenants");
    claim("open:" + group).close();
    assertThat(mode(open)).isEqualTo(02710);
  }

  @Test
  void group_thatIsNone_isRefused() {
    assertThatThrownBy(() -> claim("team-d:no-such-group"))
        .isInstanceOf(LaneStartException.class)
        .hasMessage(
            "lane.tenants: there is no group no-such-group for %s; give its number, or another one"
                .formatted(tenant("team-d")));
  }

  @Test
  void directory_onADisk_isRefused() throws IOException {
    Path disk = Files.createTempDirectory(Path.of("target").toAbsolutePath(), "no-tmpfs");
    Settings.Lane lane =
        TestNodes.settings(disk).set(SettingKey.LANE_TENANTS, List.of("team-a")).build().lane();

    assertThatThrownBy(() -> LocalSocket.of(lane.tenantList().get(0), lane, new TenantBudget(1)))
        .isInstanceOf(LaneStartException.class)
        .hasMessageStartingWith("lane.tenants: %s is on ".formatted(disk.resolve("team-a")));
  }

  private static LocalSocket claim(String tenant) {
    Settings.Lane lane = settings(tenant).build().lane();
    return LocalSocket.of(lane.tenantList().get(0), lane, new TenantBudget(1 << 20));
  }
}
