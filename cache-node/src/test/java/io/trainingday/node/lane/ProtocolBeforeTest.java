package io.trainingday.node.lane;

import static java.nio.ByteOrder.LITTLE_ENDIAN;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.trainingday.config.SettingKey;
import io.trainingday.grid.SampleKey;
import io.trainingday.lane.AdminMessage;
import io.trainingday.lane.LaneException.Code;
import io.trainingday.lane.LaneMessage;
import io.trainingday.lane.LaneMessage.Batch;
import io.trainingday.lane.LaneMessage.FillReply;
import io.trainingday.lane.LaneMessage.FillResult;
import io.trainingday.lane.LaneMessage.HelloReply;
import io.trainingday.lane.LaneMessage.Role;
import io.trainingday.lane.LaneMessage.Shape;
import io.trainingday.lane.LaneMessage.Status;
import io.trainingday.lane.LaneMessage.Table;
import io.trainingday.lane.PeerMessage;
import io.trainingday.lane.PeerMessage.BatchHead;
import io.trainingday.lane.PeerMessage.Entry;
import io.trainingday.lane.PeerMessage.KeySpace;
import io.trainingday.lane.PeerMessage.PeerRead;
import io.trainingday.lane.PeerMessage.PeerStatus;
import io.trainingday.node.CacheNode;
import io.trainingday.node.TestNodes;
import io.trainingday.node.ownership.Member;
import io.trainingday.node.ownership.OwnershipTable;
import io.trainingday.record.RecordCodec;
import io.trainingday.record.RecordFormat;
import io.trainingday.record.RecordLayout;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Optional;
import java.util.UUID;
import org.apache.ignite.Ignition;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInfo;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Trainer and node of the release before, the trainer by the bytes it sent: they speak protocol 1
 * and read records of format 1 alone.
 */
class ProtocolBeforeTest {
  /** HELLO as it was: request 1, versions 1 to 1, a trainer that calls itself "before". */
  private static final String HELLO =
      "1a000000 0100 0000 0100000000000000"
          + "54444c4e 0100 0100 00 00 0000 00000000 06000000 6265666f7265";

  /** OPEN of "tiny", 3 samples of source "d", pipeline "p": request 2. */
  private static final String OPEN =
      "1f000000 0200 0000 0200000000000000"
          + "0300000000000000 01000000 64 04000000 74696e79 01000000 70 00000000 ff";

  /** READ of sample 0, whole records, with a lease, inline: request 3. Its handle is at byte 16. */
  private static final String READ =
      "20000000 0600 0000 0300000000000000"
          + "01000000 00 01 0000 ffffffff ffffffff 00000000 01000000 0000000000000000";

  private static final Path TINY = Path.of("..", "cache-client", "contract", "golden", "tiny.tdr");

  private static CacheNode node;

  @BeforeAll
  static void launch(@TempDir Path directory) {
    node =
        CacheNode.launch(
            TestNodes.settings(directory)
                .set(SettingKey.LANE_TCP_ENABLED, true)
                .set(SettingKey.LANE_TCP_PORT, TestNodes.freePort())
                .build());
  }

  @AfterAll
  static void stop() {
    node.close();
  }

  private static ByteBuffer bytes(String hex) {
    return ByteBuffer.wrap(HexFormat.of().parseHex(hex.replace(" ", ""))).order(LITTLE_ENDIAN);
  }

  private static RawClient greetedBefore() throws IOException {
    RawClient before = new RawClient(node.socket());
    assertThat(
            before
                .call(new LaneMessage.Hello(1, 1, Role.TRAINER, "", "before"))
                .as(HelloReply.class)
                .version())
        .isEqualTo(1);
    return before;
  }

  @Test
  void trainerBefore_byItsBytes_opensFillsAndReads() throws IOException {
    byte[] tiny = Files.readAllBytes(TINY);
    try (RawClient before = new RawClient(node.socket())) {
      before.write(bytes(HELLO));
      assertThat(before.receive(1).as(HelloReply.class).version()).isEqualTo(1);
      before.write(bytes(OPEN));
      int handle = before.receive(2).as(LaneMessage.OpenReply.class).handle();
      before.write(bytes(READ).putInt(16, handle));
      Batch cold = before.receive(3).as(Batch.class);
      assertThat(cold.statuses()).containsExactly(Status.LEASED_TO_YOU);
      ByteBuffer fill =
          ByteBuffer.allocate(56 + tiny.length).order(LITTLE_ENDIAN).put(bytes("07000000"));
      fill.putInt(0, 40 + tiny.length).putShort(4, (short) 7).putLong(8, 4).position(16);
      fill.putInt(handle).putInt(0).putLong(0).putLong(cold.leases()[0]);
      fill.putLong(cold.leaseVersions()[0]).putInt(tiny.length).putInt(0).put(tiny);
      before.write(fill.flip());
      assertThat(before.receive(4).as(FillReply.class).result()).isEqualTo(FillResult.TAKEN);

      before.write(bytes(READ).putInt(16, handle));
      RawClient.Reply warm = before.receive(3);
      assertThat(warm.as(Batch.class).statuses()).containsExactly(Status.HIT);
      byte[] read = new byte[tiny.length];
      warm.payload().get(0, read);
      ByteBuffer.wrap(read).putInt(48, 0); // The node's own four bytes.
      assertThat(read).isEqualTo(tiny);
    }
  }

  @ParameterizedTest
  @EnumSource(Shape.class)
  void recordsOfNewTrainers_areOfFormat1ForTheOneBefore(Shape shape, TestInfo test)
      throws IOException {
    String name = "mixed " + test.getDisplayName();
    try (RawClient now = RawClient.greeted(node.socket());
        RawClient before = greetedBefore()) {
      int handle = now.open(name, 10);
      byte[] record = RawClient.record(3, 20);
      assertThat(RecordFormat.of(ByteBuffer.wrap(record), 0)).isEqualTo(2);
      assertThat(((FillReply) now.fill(handle, 3, 0, 0, record)).result())
          .isEqualTo(FillResult.TAKEN);
      byte[] old = RawClient.record(4, 20);
      RecordFormat.toOldest(ByteBuffer.wrap(old), 0, old.length);
      int handleBefore = before.open(name, 10);
      assertThat(((FillReply) before.fill(handleBefore, 4, 0, 0, old)).result())
          .isEqualTo(FillResult.TAKEN);

      RawClient.Reply seenBefore = before.read(handleBefore, shape, false, 0, 3, 4);
      assertThat(formats(seenBefore)).containsOnly(1);
      RawClient.Reply seenNow = now.read(handle, shape, false, 0, 3, 4);
      assertThat(formats(seenNow)).contains(2);
      if (shape == Shape.RECORDS) {
        assertThat(formats(seenNow)).containsExactly(2, 1);
      } else {
        assertThat(seenBefore.payload()).isEqualTo(seenNow.payload());
      }
    }
  }

  /** Of what can be seen of records; each must be sound. */
  private static List<Integer> formats(RawClient.Reply reply) {
    Batch batch = reply.as(Batch.class);
    assertThat(batch.statuses()).containsOnly(Status.HIT);
    if (batch.table() instanceof Table.Records records) {
      List<Integer> formats = new ArrayList<>();
      for (int i = 0; i < records.offsets().length; i++) {
        int at = Math.toIntExact(records.offsets()[i]);
        ByteBuffer record = reply.payload().slice(at, records.lengths()[i]);
        assertThat(RecordCodec.verify(record)).isTrue();
        formats.add(RecordFormat.of(record, 0));
      }
      return formats;
    }
    byte[] layout =
        batch.table() instanceof Table.Collated collated
            ? collated.layout()
            : ((Table.Ragged) batch.table()).layout();
    ByteBuffer head = ByteBuffer.wrap(layout);
    int length = RecordLayout.bodyStart(head, 0) + (int) RecordLayout.bodyLength(head, 0);
    assertThat(RecordLayout.isRecord(head, 0, length)).isTrue();
    return List.of(RecordFormat.of(head, 0));
  }

  @ParameterizedTest
  @ValueSource(booleans = {true, false})
  void recordsOfNewTrainers_areOfFormat1ForTheNodeBefore(boolean verify, TestInfo test)
      throws Exception {
    String name = "mixed grid " + test.getDisplayName();
    List<byte[]> filled = new ArrayList<>();
    try (RawClient now = RawClient.greeted(node.socket())) {
      int handle = now.open(name, 10);
      for (int index = 0; index < 3; index++) {
        byte[] record = RawClient.record(index, 20);
        if (index == 1) {
          RecordFormat.toOldest(ByteBuffer.wrap(record), 0, record.length);
        }
        filled.add(record);
        assertThat(((FillReply) now.fill(handle, index, 0, 0, record)).result())
            .isEqualTo(FillResult.TAKEN);
      }
    }
    await().until(() -> node.stats().fills().inFlightBytes() == 0);
    if (!verify) {
      Damage.flipABit(name, 2);
    }

    List<ByteBuffer> whole = readAsPeer(name, verify, false);
    List<ByteBuffer> heads = readAsPeer(name, verify, true);

    for (int index = 0; index < 2; index++) {
      byte[] expected = filled.get(index);
      RecordFormat.toOldest(ByteBuffer.wrap(expected), 0, expected.length);
      ByteBuffer record = whole.get(index);
      assertThat(RecordCodec.verify(record)).isTrue();
      assertThat(record.putInt(48, 0)).isEqualTo(ByteBuffer.wrap(expected));
      int headBytes = RecordLayout.bodyStart(record, 0);
      ByteBuffer head = heads.get(index);
      assertThat(RecordFormat.of(head, 0)).isEqualTo(1);
      // The checksum is one of the whole record.
      assertThat(head.slice(headBytes - 64, 64)).isEqualTo(record.slice(headBytes - 64, 64));
    }
    assertThat(RecordFormat.of(heads.get(2), 0)).isEqualTo(1);
    assertThat(RecordCodec.verify(whole.get(2)))
        .as("what nobody checked here is found out over there")
        .isEqualTo(verify);
  }

  /** Samples 0 to 2 of a data set, as a node that speaks protocol 1 gets them. */
  private static List<ByteBuffer> readAsPeer(String name, boolean verify, boolean heads)
      throws Exception {
    List<SampleKey> keys = new ArrayList<>();
    for (int index = 0; index < 3; index++) {
      keys.add(Damage.storedKey(name, index));
    }
    KeySpace space =
        new KeySpace(
            keys.get(0).dataset(), keys.get(0).incarnation(), keys.get(0).pipeline(), 0, 0, 0);
    long[] indices = keys.stream().mapToLong(SampleKey::index).toArray();
    long[] versions = keys.stream().mapToLong(SampleKey::sampleVersion).toArray();
    try (RawClient peer = new RawClient(node.laneAddress().orElseThrow())) {
      assertThat(
              peer.call(new LaneMessage.Hello(1, 1, Role.PEER, "", "node before"))
                  .as(HelloReply.class)
                  .version())
          .isEqualTo(1);
      UUID own = Ignition.allGrids().get(0).cluster().localNode().id();
      peer.call(new PeerMessage.Introduce(UUID.randomUUID(), own)).as(LaneMessage.Done.class);
      long id = peer.send(new PeerRead(space, false, verify, heads, 0, 0, indices, versions));
      ByteBuffer body = peer.receiveBody(id);
      assertThat(BatchHead.read(body).last()).isTrue();
      List<ByteBuffer> records = new ArrayList<>();
      for (int i = 0; i < indices.length; i++) {
        Entry entry = Entry.read(body, indices.length, 1 << 20);
        assertThat(entry.status()).isEqualTo(PeerStatus.HIT);
        records.add(body.slice(body.position(), entry.sentBytes()).order(LITTLE_ENDIAN));
        body.position(body.position() + entry.sentBytes());
      }
      return records;
    }
  }

  @Test
  void whatCameWithProtocol2_isUnknownToAConnectionOf1() throws IOException {
    for (LaneMessage later : List.of(new LaneMessage.Going(5), new AdminMessage.Drain(false))) {
      try (RawClient before = greetedBefore()) {
        LaneMessage.Failure failure = before.call(later).as(LaneMessage.Failure.class);
        assertThat(failure.code()).isEqualTo(Code.MALFORMED);
        assertThat(failure.message()).contains("no such message in protocol version 1");
        assertThat(before.isClosedByNode()).isTrue();
      }
    }
  }

  @Test
  void greeting_agreesOnTheHighestOfBoth() throws IOException {
    for (int highest = 1; highest <= 4; highest++) {
      try (RawClient client = new RawClient(node.socket())) {
        assertThat(
                client
                    .call(new LaneMessage.Hello(1, highest, Role.TRAINER, "", "test"))
                    .as(HelloReply.class)
                    .version())
            .isEqualTo(Math.min(highest, 2));
      }
    }
  }

  @Test
  void gridWithANodeOfTheReleaseBefore_storesFormat1() {
    Member now = member(2);
    Member before = member(1);
    assertThat(new OwnershipTable(1, List.of(now), List.of(List.of(now))).recordFormat())
        .isEqualTo(2);
    assertThat(new OwnershipTable(1, List.of(now, before), List.of(List.of(now))).recordFormat())
        .isEqualTo(1);
  }

  private static Member member(int format) {
    return new Member(UUID.randomUUID(), "n", "h", Optional.empty(), 1, format, false);
  }
}
