package io.trainingday.node.lane;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import io.trainingday.client.CacheAdmin;
import io.trainingday.client.CacheException;
import io.trainingday.client.CachedSamples;
import io.trainingday.client.DatasetSpec;
import io.trainingday.client.Ownership;
import io.trainingday.client.ReadShape;
import io.trainingday.client.SampleBatch;
import io.trainingday.client.TrainingCache;
import io.trainingday.config.DataSize;
import io.trainingday.config.SettingKey;
import io.trainingday.lane.AdminMessage;
import io.trainingday.lane.LaneException.Code;
import io.trainingday.lane.LaneMessage;
import io.trainingday.lane.LaneMessage.Batch;
import io.trainingday.lane.LaneMessage.Role;
import io.trainingday.lane.LaneMessage.Shape;
import io.trainingday.lane.LaneMessage.Status;
import io.trainingday.node.CacheNode;
import io.trainingday.node.TestNodes;
import io.trainingday.record.RecordCodec;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.stream.LongStream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInfo;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** The lane over TCP, without TLS, with tokens. */
@Timeout(60)
class TcpLaneTest {
  private static CacheNode node;
  private static String lane;

  private String name;

  @BeforeAll
  static void launch(@TempDir Path directory) throws IOException {
    Path tokens =
        Files.writeString(
            directory.resolve("tokens"),
            """
            trainer-a team-a trainer
            trainer-b team-b trainer
            all-a     team-a trainer,admin
            peers     default peer
            """);
    node =
        CacheNode.launch(
            TestNodes.settings(directory)
                .set(SettingKey.LANE_TCP_ENABLED, true)
                .set(SettingKey.LANE_TCP_PORT, 0)
                .set(SettingKey.LANE_TOKENS_FILE, tokens)
                .set(SettingKey.LANE_ANSWER_TIMEOUT, Duration.ofMillis(500))
                .set(SettingKey.LANE_MAX_FRAME_SIZE, DataSize.parse("16MiB"))
                .build());
    lane = node.laneAddress().orElseThrow();
  }

  @AfterAll
  static void stop() {
    node.close();
  }

  @BeforeEach
  void name(TestInfo test) {
    name = test.getTestMethod().orElseThrow().getName();
  }

  @AfterEach
  void allGone() {
    await().until(() -> node.stats().lane().connections() == 0);
    assertThat(node.stats().fills().leases()).isZero();
  }

  @Test
  void hello_withoutToken_isRefusedClosedAndCounted() throws IOException {
    denied(
        "token",
        RawClient.hello(Role.TRAINER, ""),
        "no token was shown; set TRAINING_DAY_TOKEN to one in the node's lane.tokensFile");
  }

  @Test
  void hello_unknownToken_isRefusedClosedAndCounted() throws IOException {
    denied(
        "token",
        RawClient.hello(Role.TRAINER, "trainer-c"),
        "the token is unknown here; set TRAINING_DAY_TOKEN to one in the node's lane.tokensFile");
  }

  @Test
  void hello_roleTheTokenLacks_isRefusedClosedAndCounted() throws IOException {
    denied(
        "role",
        RawClient.hello(Role.ADMIN, "trainer-a"),
        "role admin is not granted, but trainer; use another token or way to the node");
    denied(
        "role",
        RawClient.hello(Role.PEER, "all-a"),
        "role peer is not granted, but admin, trainer; use another token or way to the node");
  }

  @Test
  void hello_unknownVersion_isRefusedClosedAndCounted() throws IOException {
    long before = refusals("unsupported_version");
    try (RawClient client = new RawClient(lane)) {
      LaneMessage.Failure failure =
          client
              .call(new LaneMessage.Hello(7, 9, Role.TRAINER, "trainer-a", "test"))
              .as(LaneMessage.Failure.class);
      assertThat(failure.code()).isEqualTo(Code.UNSUPPORTED_VERSION);
      assertThat(failure.message())
          .isEqualTo("protocol versions 7–9, this node speaks 1–2; update the older side");
      assertThat(client.isClosedByNode()).isTrue();
    }
    assertThat(refusals("unsupported_version")).isEqualTo(before + 1);
  }

  @Test
  void hello_neverSaid_isClosedAndCounted() throws IOException {
    long before = refusals("silence");
    try (RawClient client = new RawClient(lane)) {
      LaneMessage.Failure failure = client.receive(0).as(LaneMessage.Failure.class);
      assertThat(failure.message()).isEqualTo("no HELLO within 1000 ms");
      assertThat(client.isClosedByNode()).isTrue();
    }
    assertThat(refusals("silence")).isEqualTo(before + 1);
  }

  @Test
  void hello_byteByByteOverTheDeadline_isClosedAndCounted() throws Exception {
    long before = refusals("silence");
    ByteBuffer hello = RawClient.hello(Role.TRAINER, "trainer-a").frame(1);
    try (RawClient client = new RawClient(lane)) {
      // All but the last byte, as slowly as the node lets us.
      await()
          .pollInterval(Duration.ofMillis(20))
          .until(
              () -> {
                try {
                  client.write(hello.slice(hello.position(), 1));
                } catch (IOException closed) {
                  return true;
                }
                hello.position(Math.min(hello.position() + 1, hello.limit() - 2));
                return refusals("silence") == before + 1;
              });
    }
  }

  @Test
  void tlsHandshake_onAPlainLane_isCountedAndClosed() throws IOException {
    long before = refusals("tls");
    try (RawClient client = new RawClient(lane)) {
      client.write(
          ByteBuffer.wrap(
              new byte[] {0x16, 3, 1, 2, 0, 1, 0, 1, (byte) 0xFC, 3, 3, 9, 9, 9, 9, 9}));
      LaneMessage.Failure failure = client.receive(0).as(LaneMessage.Failure.class);
      assertThat(failure.message()).contains("lane.tls.enabled=false");
      assertThat(client.isClosedByNode()).isTrue();
    }
    assertThat(refusals("tls")).isEqualTo(before + 1);
  }

  @Test
  void frame_cutOff_harmsNobody() throws IOException {
    try (RawClient broken = new RawClient(lane).greet(Role.TRAINER, "trainer-a");
        RawClient good = new RawClient(lane).greet(Role.TRAINER, "trainer-a")) {
      int handle = broken.open(name, 10);
      int goodHandle = good.open(name, 10);
      ByteBuffer fill =
          new LaneMessage.Fill(handle, 0, 1, 0, 0, ByteBuffer.wrap(RawClient.record(1, 50)))
              .frame(7);
      broken.write(fill.slice(0, fill.remaining() / 2));
      broken.hangUp();

      assertThat(statuses(good.read(goodHandle, Shape.RECORDS, false, 0, 1)))
          .containsExactly(Status.MISS);
    }
  }

  @Test
  void segment_overTcp_isRefusedAndBatchesComeInline() throws IOException {
    try (RawClient client = new RawClient(lane).greet(Role.TRAINER, "trainer-a")) {
      assertThat(client.call(new LaneMessage.Segment(4096, 1)).as(LaneMessage.Failure.class).code())
          .isEqualTo(Code.NO_SEGMENT);
      int handle = client.open(name, 10);
      client.fill(handle, 3, 0, 0, RawClient.record(3, 50));

      RawClient.Reply reply = client.read(handle, Shape.COLLATED, false, 0, 3);

      assertThat(statuses(reply)).containsExactly(Status.HIT);
      for (int i = 0; i < 2_500; i++) {
        assertThat(reply.payload().get(i)).isEqualTo(RawClient.pixel(3, i));
      }
    }
  }

  @Test
  void open_sameNameOfTwoTenants_isTwoDatasets() throws IOException {
    try (RawClient a = new RawClient(lane).greet(Role.TRAINER, "trainer-a");
        RawClient sameTenant = new RawClient(lane).greet(Role.TRAINER, "all-a");
        RawClient b = new RawClient(lane).greet(Role.TRAINER, "trainer-b");
        RawClient local = RawClient.greeted(node.socket())) {
      int handle = a.open(name, 10);
      a.fill(handle, 3, 0, 0, RawClient.record(3, 50));

      int again = sameTenant.open(name, 10);
      assertThat(statuses(sameTenant.read(again, Shape.RECORDS, false, 0, 3)))
          .containsExactly(Status.HIT);
      int ofB = b.open(name, 99);
      assertThat(statuses(b.read(ofB, Shape.RECORDS, false, 0, 3))).containsExactly(Status.MISS);
      int ofDefault = local.open(name, 77);
      assertThat(statuses(local.read(ofDefault, Shape.RECORDS, false, 0, 3)))
          .containsExactly(Status.MISS);
    }
  }

  @Test
  void adminMessage_ofATrainer_isDeniedAndTheConnectionStays() throws IOException {
    try (RawClient client = new RawClient(lane).greet(Role.TRAINER, "all-a")) {
      LaneMessage.Failure failure =
          client
              .call(new AdminMessage.Invalidate(name, new long[] {1}))
              .as(LaneMessage.Failure.class);
      assertThat(failure.code()).isEqualTo(Code.DENIED);
      assertThat(failure.message())
          .isEqualTo("message type 19 is for role admin, this connection greeted as trainer");
      client.open(name, 10);
    }
  }

  @Test
  void trainersMessage_ofAnAdmin_isDenied() throws IOException {
    try (RawClient client = new RawClient(lane).greet(Role.ADMIN, "all-a")) {
      LaneMessage.Failure failure =
          client
              .call(new LaneMessage.Open(10, "", name, "p", "", 255))
              .as(LaneMessage.Failure.class);
      assertThat(failure.code()).isEqualTo(Code.DENIED);
      client.call(new LaneMessage.StatusRequest()).as(LaneMessage.StatusReply.class);
    }
  }

  @Test
  void admin_publishes_andSamplesAreMissing() throws IOException {
    try (RawClient trainer = new RawClient(lane).greet(Role.TRAINER, "trainer-a");
        CacheAdmin admin = CacheAdmin.connect(config("all-a"))) {
      int handle = trainer.open(name, 10);
      trainer.fill(handle, 3, 0, 0, RawClient.record(3, 50));
      trainer.fill(handle, 4, 0, 0, RawClient.record(4, 50));

      assertThat(admin.publishChanged(name, 3)).isEqualTo(1);
      assertThat(statuses(trainer.read(handle, Shape.RECORDS, false, 0, 3, 4)))
          .containsExactly(Status.MISS, Status.HIT);
      assertThat(admin.invalidate(name, 4)).isEqualTo(2);
      assertThat(statuses(trainer.read(handle, Shape.RECORDS, false, 0, 3, 4)))
          .containsOnly(Status.MISS);
      assertThat(admin.publish(name, 10, "digest")).isEqualTo(3);

      assertThatThrownBy(() -> admin.publishChanged("none of these", 3))
          .isInstanceOf(CacheException.class)
          .hasMessageContaining("data set \"team-a/none of these\" is unknown");
      assertThatThrownBy(() -> admin.publishChanged(name, 99)).isInstanceOf(CacheException.class);
      assertThat(admin.publishChanged(name, 1)).isEqualTo(4);
    }
  }

  @Test
  void admin_withATrainersToken_isRefused() {
    assertThatThrownBy(() -> CacheAdmin.connect(config("trainer-a")))
        .isInstanceOf(CacheException.class)
        .hasMessage(
            "the cache node at tcp://%s refuses: role admin is not granted, but trainer; use another token or way to the node",
            lane);
  }

  @Test
  void admin_requestOverTheFrame_isRefusedBeforeItIsSent() {
    try (CacheAdmin admin = CacheAdmin.connect(config("all-a"))) {
      long[] tooMany = LongStream.range(0, 3_000_000).toArray();

      assertThatThrownBy(() -> admin.publishChanged(name, tooMany))
          .isInstanceOf(CacheException.class)
          .hasMessageMatching(
              "a request of 24[0-9]+ bytes > maxFrameBytes=16777216 of the node at tcp://.*, ask for less at a time or raise lane.maxFrameSize");
      assertThat(admin.datasets()).isNotEmpty();
    }
  }

  @Test
  void trainer_withAnAddressAlone_readsThrough() {
    DatasetSpec spec =
        DatasetSpec.builder(name).pipeline("p").sourceLength(100).sourceDigest("d").build();
    long[] indices = LongStream.range(0, 64).toArray();
    for (ReadShape shape : ReadShape.values()) {
      try (TrainingCache cache = TrainingCache.connect(config("trainer-a"));
          CachedSamples samples = cache.open(spec)) {
        assertThat(cache.attachedTo()).contains("tcp://" + lane);
        for (int round = 0; round < 2; round++) {
          try (SampleBatch batch =
              samples.read(
                  indices,
                  shape,
                  index ->
                      RecordCodec.create().decode(ByteBuffer.wrap(RawClient.record(index, 200))))) {
            assertThat(batch.size()).isEqualTo(64);
          }
        }
        assertThat(samples.stats().slotBatches()).isZero();
        assertThat(samples.stats().inlineBatches()).isPositive();
      }
    }
  }

  @Test
  void ownership_ofOneNode_isAllItsOwn() {
    try (TrainingCache cache = TrainingCache.connect(config("trainer-a"));
        CachedSamples samples =
            cache.open(DatasetSpec.builder(name).pipeline("p").sourceLength(1).build())) {
      Ownership ownership = samples.ownership();

      assertThat(ownership.partitions()).isEqualTo(64);
      assertThat(ownership.holders()).containsOnly(List.of(0));
      assertThat(ownership.nodes()).hasSize(1);
      Ownership.Node only = ownership.nodes().get(0);
      assertThat(only.local()).isTrue();
      assertThat(only.laneAddress()).contains(lane);
      assertThat(only.hostId()).isEqualTo(node.settings().grid().resolvedHostId());
      assertThat(only.budgetBytes()).isEqualTo(256L << 20);
    }
  }

  @Test
  void replies_notTaken_stopFurtherOnes() throws IOException {
    try (RawClient client = new RawClient(lane).greet(Role.TRAINER, "trainer-a")) {
      int handle = client.open(name, 10);
      client.fill(handle, 3, 0, 0, RawClient.record(3, 2_000));
      long before = node.stats().lane().inlineBatches();
      int asked = 100;
      long first = 0;
      // All in one piece: the node has every request before it has sent the first reply.
      ByteBuffer all = ByteBuffer.allocate(asked * 100);
      for (int i = 0; i < asked; i++) {
        all.put(
            new LaneMessage.Read(handle, Shape.RECORDS, false, 0, -1, -1, 0, new long[] {3})
                .frame(1_000 + i));
        first = 1_000;
      }
      client.write(all.flip());
      await().until(() -> node.stats().lane().inlineBatches() > before);
      // 4 MB each: a few fill the kernel's buffers and ours; the others wait as requests.
      await()
          .during(Duration.ofMillis(300))
          .until(() -> node.stats().lane().inlineBatches() < before + asked / 2);

      for (int i = 0; i < asked; i++) {
        assertThat(client.receive(first + i).payload().remaining()).isGreaterThan(4_000_000);
      }
    }
  }

  private static void denied(String reason, LaneMessage.Hello hello, String message)
      throws IOException {
    long before = refusals(reason);
    try (RawClient client = new RawClient(lane)) {
      LaneMessage.Failure failure = client.call(hello).as(LaneMessage.Failure.class);
      assertThat(failure.code()).isEqualTo(Code.DENIED);
      assertThat(failure.message()).isEqualTo(message);
      assertThat(client.isClosedByNode()).isTrue();
    }
    assertThat(refusals(reason)).isEqualTo(before + 1);
  }

  private static Status[] statuses(RawClient.Reply reply) {
    return reply.as(Batch.class).statuses();
  }

  private static long refusals(String reason) {
    return node.stats().lane().refusals().getOrDefault(reason, -1L);
  }

  private static TrainingCache.Config config(String token) {
    return TrainingCache.Config.builder().address("tcp://" + lane).token(token).build();
  }
}
