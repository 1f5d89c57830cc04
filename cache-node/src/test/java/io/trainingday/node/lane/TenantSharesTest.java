package io.trainingday.node.lane;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.trainingday.config.DataSize;
import io.trainingday.config.SettingKey;
import io.trainingday.lane.LaneException.Code;
import io.trainingday.lane.LaneMessage;
import io.trainingday.lane.LaneMessage.Role;
import io.trainingday.node.CacheNode;
import io.trainingday.node.SharedDirectory;
import io.trainingday.node.TestNodes;
import io.trainingday.node.metrics.NodeStats;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** One tenant takes all it gets, of a node that three others and the nodes of a grid want, too. */
@Timeout(120)
class TenantSharesTest {
  private static final int SLOT_BYTES = 8 << 20;

  /** Of 48 MiB, half is kept for three tenants with sockets: 8 MiB each. */
  private static final int SLOTS_OF_ONE = 4;

  /** Of 24, half is kept for four tenants, nodes, and those that greet: 2 each. */
  private static final int CONNECTIONS_OF_ONE = 24 - 5 * 2;

  private final List<RawClient> clients = new ArrayList<>();
  private SharedDirectory directory;
  private CacheNode node;

  @BeforeEach
  void launch() throws IOException {
    directory = new SharedDirectory();
    Path tokens =
        Files.writeString(
            directory.path().resolve("tokens"), "of-c team-c trainer\nof-nodes default peer\n");
    node =
        CacheNode.launch(
            TestNodes.settings(directory.path())
                .set(SettingKey.LANE_TENANTS, List.of("team-a", "team-b"))
                .set(SettingKey.LANE_TCP_ENABLED, true)
                .set(SettingKey.LANE_TCP_PORT, 0)
                .set(SettingKey.LANE_TOKENS_FILE, tokens)
                .set(SettingKey.LANE_MAX_CONNECTIONS, 24)
                .set(SettingKey.LANE_SLOTS_MAX_BYTES, DataSize.parse("48MiB"))
                .set(SettingKey.LANE_SLOTS_MAX_BYTES_PER_CONNECTION, DataSize.parse("16MiB"))
                .build());
  }

  @AfterEach
  void stop() throws IOException {
    for (RawClient client : clients) {
      client.close();
    }
    node.close();
    directory.close();
  }

  @Test
  void slots_oneTenantTakesAllItGets_andTheOthersHaveTheirPart() throws IOException {
    for (int i = 0; i < SLOTS_OF_ONE; i++) {
      assertThat(segment("team-a")).isInstanceOf(LaneMessage.SegmentReply.class);
    }
    assertThat(refusal(segment("team-a"), Code.NO_SEGMENT))
        .contains(
            "33554432 of them tenant team-a's, and 16777216 bytes kept for other tenants > lane.slots.maxBytes=50331648",
            "batches come inline")
        .doesNotContain("team-b");

    assertThat(segment("team-b")).isInstanceOf(LaneMessage.SegmentReply.class);
    assertThat(segment("")).isInstanceOf(LaneMessage.SegmentReply.class);
    refusal(segment("team-b"), Code.NO_SEGMENT);
    assertThat(tenant("team-a").slotsBytes()).isEqualTo((long) SLOTS_OF_ONE * SLOT_BYTES);
    assertThat(tenant("team-b").slotsBytes()).isEqualTo(SLOT_BYTES);

    // What it gives back is anybody's.
    clients.get(0).close();
    await().until(() -> tenant("team-a").slotsBytes() < (long) SLOTS_OF_ONE * SLOT_BYTES);
    assertThat(segment("team-b")).isInstanceOf(LaneMessage.SegmentReply.class);
  }

  @Test
  void connections_oneTenantTakesAllItGets_andTheOthersHaveTheirPart() throws IOException {
    for (int i = 0; i < CONNECTIONS_OF_ONE; i++) {
      client(socket("team-a")).greet(Role.TRAINER, "");
    }
    assertThat(client(socket("team-a")).receive(0).as(LaneMessage.Failure.class))
        .satisfies(
            refused -> {
              assertThat(refused.code()).isEqualTo(Code.TOO_MANY);
              assertThat(refused.message())
                  .isEqualTo(
                      "connections=14 of lane.maxConnections=24 are in use, 14 of them by tenant team-a, and 10 more are kept for others; share connections or raise it");
            });
    for (String other : List.of("team-b", "")) {
      client(socket(other)).greet(Role.TRAINER, "");
      client(socket(other)).greet(Role.TRAINER, "");
    }
    // Many that say nothing, which nobody knows the tenant of.
    for (int i = 0; i < 10; i++) {
      client(lane());
    }
    for (String token : List.of("of-c", "of-nodes")) {
      Role role = token.equals("of-c") ? Role.TRAINER : Role.PEER;
      client(lane()).greet(role, token);
      client(lane()).greet(role, token);
    }
    assertThat(
            refusal(
                client(lane()).call(RawClient.hello(Role.TRAINER, "of-c")).message(),
                Code.TOO_MANY))
        .startsWith(
            "connections=24 of lane.maxConnections=24 are in use, 2 of them by tenant team-c, and ");
    assertThat(tenant("team-a").connections()).isEqualTo(CONNECTIONS_OF_ONE);
    assertThat(tenant("team-c").connections()).isEqualTo(2);
    assertThat(node.stats().lane().refusals().get("too_many")).isGreaterThan(2);
  }

  /** What is kept for those that are about to greet stays theirs. */
  @Test
  void connections_thatAreSilent_makeWayForATenantsSocket() throws IOException {
    for (int i = 0; i < CONNECTIONS_OF_ONE; i++) {
      client(lane());
    }
    await().until(() -> node.stats().lane().connections() == CONNECTIONS_OF_ONE);

    for (int i = 0; i < CONNECTIONS_OF_ONE; i++) {
      client(socket("team-a")).greet(Role.TRAINER, "");
    }

    refusal(client(socket("team-a")).receive(0).message(), Code.TOO_MANY);
    assertThat(tenant("team-a").connections()).isEqualTo(CONNECTIONS_OF_ONE);
    assertThat(node.stats().lane().connections()).isEqualTo(CONNECTIONS_OF_ONE + 2);
    client(lane()).greet(Role.TRAINER, "of-c");
  }

  private LaneMessage segment(String tenant) throws IOException {
    RawClient client = client(socket(tenant)).greet(Role.TRAINER, "");
    return client.call(new LaneMessage.Segment(SLOT_BYTES, 1)).message();
  }

  private static String refusal(LaneMessage answer, Code code) {
    LaneMessage.Failure refused = (LaneMessage.Failure) answer;
    assertThat(refused.code()).isEqualTo(code);
    return refused.message();
  }

  private RawClient client(Path socket) throws IOException {
    return added(new RawClient(socket));
  }

  private RawClient client(String lane) throws IOException {
    return added(new RawClient(lane));
  }

  private RawClient added(RawClient client) {
    clients.add(client);
    return client;
  }

  private NodeStats.Tenant tenant(String name) {
    return node.stats().lane().tenants().stream()
        .filter(one -> one.name().equals(name))
        .findAny()
        .orElseThrow();
  }

  private Path socket(String tenant) {
    return directory.path().resolve(tenant).resolve("lane.sock");
  }

  private String lane() {
    return node.laneAddress().orElseThrow();
  }
}
