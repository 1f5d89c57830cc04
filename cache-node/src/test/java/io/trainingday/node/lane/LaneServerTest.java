package io.trainingday.node.lane;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.trainingday.config.DataSize;
import io.trainingday.config.SettingKey;
import io.trainingday.lane.Frame;
import io.trainingday.lane.LaneException.Code;
import io.trainingday.lane.LaneMessage;
import io.trainingday.lane.LaneMessage.Batch;
import io.trainingday.lane.LaneMessage.FillReply;
import io.trainingday.lane.LaneMessage.FillResult;
import io.trainingday.lane.LaneMessage.Shape;
import io.trainingday.lane.LaneMessage.Status;
import io.trainingday.lane.LaneMessage.Table;
import io.trainingday.lane.ReportMessage;
import io.trainingday.node.CacheNode;
import io.trainingday.node.SegmentPages;
import io.trainingday.node.TestNodes;
import io.trainingday.node.metrics.NodeStats;
import io.trainingday.record.RecordCodec;
import io.trainingday.record.SampleRecord;
import java.io.IOException;
import java.lang.ref.Reference;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.stream.LongStream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInfo;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** The lane as a client sees it, byte by byte, against a whole node. */
class LaneServerTest {
  private static final int SIDE = 50;

  private static CacheNode node;

  private RawClient client;
  private String name;

  @BeforeAll
  static void launch(@TempDir Path directory) {
    node =
        CacheNode.launch(
            TestNodes.settings(directory)
                .set(SettingKey.LANE_SLOTS_MAX_BYTES, DataSize.parse("32MiB"))
                .set(SettingKey.LANE_SLOTS_MAX_BYTES_PER_CONNECTION, DataSize.parse("16MiB"))
                .set(SettingKey.LANE_MAX_FRAME_SIZE, DataSize.parse("9MiB"))
                .set(SettingKey.LANE_MAX_REQUESTS_IN_FLIGHT, 4)
                .set(SettingKey.LANE_MAX_CONNECTIONS, 8)
                .build());
  }

  @AfterAll
  static void stop() {
    node.close();
  }

  @BeforeEach
  void connect(TestInfo test) throws IOException {
    client = RawClient.greeted(node.socket());
    name = test.getTestMethod().orElseThrow().getName() + test.getDisplayName();
  }

  @AfterEach
  void disconnect() throws IOException {
    client.close();
    await().until(() -> node.stats().lane().connections() == 0);
    assertThat(node.stats().lane().slotsBytes()).isZero();
    assertThat(node.stats().fills().leases()).isZero();
  }

  @ParameterizedTest
  @EnumSource(Shape.class)
  void read_missing_leasesThenHits(Shape shape) throws IOException {
    int handle = client.open(name, 100);

    Batch cold = client.read(handle, shape, true, 0, 7, 3).as(Batch.class);
    assertThat(cold.statuses()).containsOnly(Status.LEASED_TO_YOU);
    assertThat(cold.leases()).hasSize(2);
    assertThat(cold.payloadBytes()).isZero();

    fill(handle, cold, 7, 3);
    RawClient.Reply warm = client.read(handle, shape, true, 0, 7, 3);
    assertThat(warm.as(Batch.class).statuses()).containsOnly(Status.HIT);
    assertBatch(warm.as(Batch.class), warm.payload(), 7, 3);
  }

  @ParameterizedTest
  @EnumSource(Shape.class)
  void read_intoSlot_writesThere(Shape shape) throws IOException {
    int handle = filled(20);
    RawClient.Mapped segment = client.segment(64 << 10, 3);
    assertThat(segment.path()).doesNotExist();

    Batch batch =
        client
            .call(
                new LaneMessage.Read(
                    handle, shape, true, 0, segment.segment(), 2, 0, new long[] {5, 0, 19}))
            .as(Batch.class);

    assertThat(batch.inline()).isFalse();
    ByteBuffer slot =
        segment.memory().slice(2 * (64 << 10), 64 << 10).order(ByteOrder.LITTLE_ENDIAN);
    assertBatch(batch, slot, 5, 0, 19);
  }

  @ParameterizedTest
  @EnumSource(Shape.class)
  void read_slotTooSmall_saysHowMuchIsNeeded(Shape shape) throws IOException {
    int handle = filled(20);
    RawClient.Mapped small = client.segment(4096, 1);
    long[] indices = LongStream.range(0, 20).toArray();

    Batch refused =
        client
            .call(new LaneMessage.Read(handle, shape, true, 0, small.segment(), 0, 0, indices))
            .as(Batch.class);

    assertThat(refused.tooSmall()).isTrue();
    assertThat(refused.statuses()).containsOnly(Status.MISS);
    long needed = (refused.payloadBytes() + 63) / 64 * 64;
    RawClient.Mapped large = client.segment(needed, 1);
    Batch batch =
        client
            .call(new LaneMessage.Read(handle, shape, true, 0, large.segment(), 0, 0, indices))
            .as(Batch.class);
    assertBatch(batch, large.memory(), indices);
  }

  @ParameterizedTest
  @EnumSource(Shape.class)
  void read_mixed_leavesHolesForTheMissing(Shape shape) throws IOException {
    int handle = client.open(name, 100);
    fill(handle, client.read(handle, shape, true, 0, 1, 2).as(Batch.class), 1, 2);

    RawClient.Reply reply = client.read(handle, shape, false, 0, 1, 50, 2);

    assertThat(reply.as(Batch.class).statuses())
        .containsExactly(Status.HIT, Status.MISS, Status.HIT);
    assertBatch(reply.as(Batch.class), reply.payload(), 1, 50, 2);
  }

  @Test
  void read_differentShapes_raggedWorks_collatedNamesTheSample() throws IOException {
    int handle = client.open(name, 100);
    Batch cold = client.read(handle, Shape.RAGGED, true, 0, 0, 1).as(Batch.class);
    client.fill(handle, 0, cold.leases()[0], 0, RawClient.record(0, 10));
    client.fill(handle, 1, cold.leases()[1], 0, RawClient.record(1, 20));

    RawClient.Reply ragged = client.read(handle, Shape.RAGGED, true, 0, 0, 1);
    Table.Ragged table = (Table.Ragged) ragged.as(Batch.class).table();
    assertThat(table.fields().get(0).valueOffsets()).containsExactly(0, 100, 500);
    assertThat(table.fields().get(0).shapes()).containsExactly(10, 10, 20, 20);
    assertThat(ragged.payload().get((int) table.fields().get(0).offset() + 100 + 3))
        .isEqualTo(RawClient.pixel(1, 3));

    LaneMessage.Failure failure =
        client.read(handle, Shape.COLLATED, true, 0, 0, 1).as(LaneMessage.Failure.class);
    assertThat(failure.code()).isEqualTo(Code.NOT_COLLATABLE);
    assertThat(failure.message()).contains("sample 1 is (").contains("[20,20]").contains("[10,10]");
  }

  @Test
  void collated_otherShapeThanEverBefore_works() throws IOException {
    int handle = client.open(name, 100);
    Batch cold = client.read(handle, Shape.COLLATED, true, 0, 0, 1).as(Batch.class);
    client.fill(handle, 0, cold.leases()[0], 0, RawClient.record(0, 10));
    client.fill(handle, 1, cold.leases()[1], 0, RawClient.record(1, 20));

    for (long index : new long[] {0, 1, 0}) {
      RawClient.Reply reply = client.read(handle, Shape.COLLATED, true, 0, index);
      assertThat(reply.payload().get(3)).isEqualTo(RawClient.pixel(index, 3));
    }
  }

  @Test
  void wait_filledByOther_getsTheRecord() throws IOException {
    int handle = client.open(name, 100);
    Batch cold = client.read(handle, Shape.COLLATED, true, 0, 4).as(Batch.class);
    try (RawClient other = RawClient.greeted(node.socket())) {
      int otherHandle = other.open(name, 100);
      assertThat(other.read(otherHandle, Shape.COLLATED, true, 0, 4).as(Batch.class).statuses())
          .containsExactly(Status.LEASED_TO_OTHER);

      long waiting =
          other.send(
              new LaneMessage.Read(
                  otherHandle, Shape.COLLATED, true, 0, -1, -1, 1_400, new long[] {4}));
      fill(handle, cold, 4);

      RawClient.Reply reply = other.receive(waiting);
      assertBatch(reply.as(Batch.class), reply.payload(), 4);
      assertThat(reply.as(Batch.class).statuses()).containsExactly(Status.HIT);
    }
  }

  @Test
  void wait_loaderGoesAway_leaseFallsToTheWaiter() throws IOException {
    int handle = client.open(name, 100);
    try (RawClient loader = RawClient.greeted(node.socket())) {
      loader.read(loader.open(name, 100), Shape.RECORDS, true, 0, 4);
      long waiting =
          client.send(
              new LaneMessage.Read(handle, Shape.RECORDS, true, 0, -1, -1, 1_400, new long[] {4}));
      loader.hangUp();

      assertThat(client.receive(waiting).as(Batch.class).statuses())
          .containsExactly(Status.LEASED_TO_YOU);
    }
  }

  @Test
  void wait_abandoned_leaseFallsToTheWaiter() throws IOException {
    int handle = client.open(name, 100);
    try (RawClient loader = RawClient.greeted(node.socket())) {
      int loaderHandle = loader.open(name, 100);
      Batch lease = loader.read(loaderHandle, Shape.RECORDS, true, 0, 4).as(Batch.class);
      long waiting =
          client.send(
              new LaneMessage.Read(handle, Shape.RECORDS, true, 0, -1, -1, 1_400, new long[] {4}));
      loader.call(
          new LaneMessage.Abandon(
              loaderHandle, 0, new long[] {4}, lease.leases(), lease.leaseVersions()));

      assertThat(client.receive(waiting).as(Batch.class).statuses())
          .containsExactly(Status.LEASED_TO_YOU);
    }
  }

  @Test
  void wait_nothingHappens_answersStillLeased() throws IOException {
    int handle = client.open(name, 100);
    try (RawClient loader = RawClient.greeted(node.socket())) {
      loader.read(loader.open(name, 100), Shape.RECORDS, true, 0, 4);

      assertThat(client.read(handle, Shape.RECORDS, true, 50, 4).as(Batch.class).statuses())
          .containsExactly(Status.LEASED_TO_OTHER);
    }
  }

  @Test
  void fill_ofAnOlderVersion_isStale() throws IOException {
    int handle = client.open(name, 100);
    Batch cold = client.read(handle, Shape.RECORDS, true, 0, 4, 5).as(Batch.class);
    node.versions().publishChanged("default", name, "request-1", new long[] {4});

    FillReply stale =
        (FillReply) client.fill(handle, 4, cold.leases()[0], 0, RawClient.record(4, SIDE));
    assertThat(stale.result()).isEqualTo(FillResult.DROPPED);
    assertThat(stale.reason()).isEqualTo("stale");
    FillReply current =
        (FillReply) client.fill(handle, 5, cold.leases()[1], 0, RawClient.record(5, SIDE));
    assertThat(current.result()).isEqualTo(FillResult.TAKEN);

    Batch after = client.read(handle, Shape.RECORDS, false, 0, 4, 5).as(Batch.class);
    assertThat(after.statuses()).containsExactly(Status.MISS, Status.HIT);
    assertThat(after.generation()).isEqualTo(1);
  }

  @Test
  void fill_ofAVersionNotSeenHere_isNotWritten() throws IOException {
    int handle = client.open(name, 100);
    Batch cold = client.read(handle, Shape.RECORDS, true, 0, 4).as(Batch.class);
    long unseen = cold.leaseVersions()[0] + 1;

    FillReply reply =
        (FillReply) client.fill(handle, 4, cold.leases()[0], unseen, RawClient.record(4, SIDE));

    assertThat(reply.reason()).isEqualTo("stale");
    for (int i = 1; i <= 3; i++) {
      node.versions().publishChanged("default", name, "request-" + i, new long[] {4});
      assertThat(client.read(handle, Shape.RECORDS, false, 0, 4).as(Batch.class).statuses())
          .containsExactly(Status.MISS);
    }
  }

  @Test
  void fill_withoutLease_isKeptUnlessTheSampleChangedSinceItsLoadBegan() throws IOException {
    int handle = client.open(name, 100);
    node.versions().publishChanged("default", name, "request-1", new long[] {4});
    node.versions().publishChanged("default", name, "request-2", new long[] {6});

    FillReply before = (FillReply) client.fill(handle, 4, 0, 0, RawClient.record(4, SIDE));
    assertThat(before.reason()).isEqualTo("stale");
    FillReply unchanged = (FillReply) client.fill(handle, 5, 0, 0, RawClient.record(5, SIDE));
    assertThat(unchanged.result()).isEqualTo(FillResult.TAKEN);
    FillReply since = (FillReply) client.fill(handle, 4, 0, 1, RawClient.record(4, SIDE));
    assertThat(since.result()).isEqualTo(FillResult.TAKEN);

    assertThat(client.read(handle, Shape.RECORDS, false, 0, 4, 5).as(Batch.class).statuses())
        .containsExactly(Status.HIT, Status.HIT);
  }

  @Test
  void invalidate_filledSample_isAMissAtOnce() throws IOException {
    int handle = filled(3);
    node.versions().publishChanged("default", name, "request-1", new long[] {1});

    assertThat(client.read(handle, Shape.RECORDS, false, 0, 0, 1, 2).as(Batch.class).statuses())
        .containsExactly(Status.HIT, Status.MISS, Status.HIT);
  }

  @Test
  void fill_damaged_isRefusedInWords() throws IOException {
    int handle = client.open(name, 100);
    byte[] record = RawClient.record(0, SIDE);
    record[record.length - 1] ^= 1;

    LaneMessage.Failure failure = (LaneMessage.Failure) client.fill(handle, 0, 0, 0, record);
    assertThat(failure.code()).isEqualTo(Code.REFUSED);
    assertThat(failure.message()).isEqualTo("record of sample 0 does not match its checksum");
    assertThat(((LaneMessage.Failure) client.fill(handle, 0, 0, 0, new byte[40])).message())
        .startsWith("record of sample 0: ");
  }

  @Test
  void fill_tooLarge_isRefusedInWords() throws IOException {
    int handle = client.open(name, 100);
    byte[] record = new byte[(8 << 20) + 1];

    assertThat(((LaneMessage.Failure) client.fill(handle, 0, 0, 0, record)).message())
        .isEqualTo(
            "record of sample 0 has 8388609 bytes > lane.maxRecordSize=8388608, store smaller samples or raise it");
  }

  @Test
  void fill_otherFields_isRefusedNamingThem() throws IOException {
    int handle = filled(1);
    byte[] record =
        RecordCodec.create().encode(SampleRecord.builder().utf8("text", "hello").build());

    assertThat(((LaneMessage.Failure) client.fill(handle, 1, 0, 0, record)).message())
        .contains("field \"image\"")
        .contains("is missing")
        .contains("another pipeline fingerprint");
  }

  @Test
  void open_nameThatIsNone_isRefusedAndLeavesNothingInTheStatus() throws IOException {
    LaneMessage.Failure failure =
        client
            .call(new LaneMessage.Open(100, "digest", "bell \u0007", "p", "", 255))
            .as(LaneMessage.Failure.class);

    assertThat(failure.code()).isEqualTo(Code.REFUSED);
    assertThat(node.stats().datasets())
        .extracting(NodeStats.Dataset::name)
        .noneMatch(known -> known.startsWith("bell"));
  }

  @Test
  void open_otherSource_isRefusedNamingBoth() throws IOException {
    client.open(name, 100);

    LaneMessage.Failure failure =
        client
            .call(new LaneMessage.Open(101, "digest", name, "pipeline-1", "", 255))
            .as(LaneMessage.Failure.class);
    assertThat(failure.code()).isEqualTo(Code.REFUSED);
    assertThat(failure.message()).contains("length=100").contains("length=101");
  }

  @Test
  void read_indexOutOfRange_isRefused_connectionLives() throws IOException {
    int handle = client.open(name, 100);

    for (long index : new long[] {100, -1, Long.MAX_VALUE}) {
      LaneMessage.Failure failure =
          client.read(handle, Shape.RECORDS, true, 0, index).as(LaneMessage.Failure.class);
      assertThat(failure.code()).isEqualTo(Code.REFUSED);
      assertThat(failure.message()).contains("index=" + index);
    }
    client.read(handle, Shape.RECORDS, false, 0, 99).as(Batch.class);
  }

  @Test
  void segment_overBudget_isRefusedInWords_untilOneIsDropped() throws IOException {
    LaneMessage.Failure tooMuch =
        client.call(new LaneMessage.Segment(17 << 20, 1)).as(LaneMessage.Failure.class);
    assertThat(tooMuch.code()).isEqualTo(Code.NO_SEGMENT);
    assertThat(tooMuch.message()).contains("lane.slots.maxBytesPerConnection=16777216");
    RawClient.Mapped own = client.segment(16 << 20, 1);
    try (RawClient second = RawClient.greeted(node.socket());
        RawClient third = RawClient.greeted(node.socket())) {
      second.segment(16 << 20, 1);
      assertThat(third.call(new LaneMessage.Segment(64, 1)).as(LaneMessage.Failure.class).message())
          .contains("lane.slots.maxBytes=33554432")
          .contains("batches come inline");
      client.call(new LaneMessage.Drop(own.segment())).as(LaneMessage.Done.class);
      third.segment(64, 1);
    }
  }

  @Test
  void segment_dropped_itsPagesAreFreeThoughTheClientHasThemMapped() throws IOException {
    RawClient.Mapped own = client.segment(64 << 10, 2);
    for (int at = 0; at < own.memory().capacity(); at += 4 << 10) {
      own.memory().put(at, (byte) 1);
    }
    assertThat(SegmentPages.resident()).containsEntry(own.path(), 128L << 10);
    long before = node.stats().lane().slotsBytes();

    try {
      client.call(new LaneMessage.Drop(own.segment())).as(LaneMessage.Done.class);
      assertThat(SegmentPages.resident()).containsEntry(own.path(), 0L);
      assertThat(node.stats().lane().slotsBytes()).isEqualTo(before - (128 << 10));
    } finally {
      Reference.reachabilityFence(own.memory());
    }
  }

  @Test
  void segment_ofHalfAPage_countsAsOne() throws IOException {
    client.segment(64, 1);

    assertThat(node.stats().lane().slotsBytes()).isEqualTo(4 << 10);
  }

  @Test
  void connection_closedWhileItsSegmentIsLocked_theMemoryCountsUntilItIsNot() throws IOException {
    try (RawClient other = RawClient.greeted(node.socket())) {
      LaneMessage.SegmentReply segment =
          other.call(new LaneMessage.Segment(16 << 20, 1)).as(LaneMessage.SegmentReply.class);
      try (FileChannel file =
          FileChannel.open(
              Path.of(segment.path()), StandardOpenOption.READ, StandardOpenOption.WRITE)) {
        assertThat(file.tryLock(0, LaneMessage.SEGMENT_LOCK_BYTES, true)).isNotNull();
        other.hangUp();
        await().until(() -> node.stats().lane().connections() == 1);
        client.segment(16 << 20, 1);

        try (RawClient third = RawClient.greeted(node.socket())) {
          assertThat(
                  third.call(new LaneMessage.Segment(64, 1)).as(LaneMessage.Failure.class).code())
              .isEqualTo(Code.NO_SEGMENT);
        }
        assertThat(file.size()).isEqualTo(16 << 20);
      }
      await().until(() -> node.stats().lane().slotsBytes() == 16 << 20);
    }
  }

  @Test
  void slot_notOfThisConnection_closesIt() throws IOException {
    int handle = filled(1);
    LaneMessage.Failure failure =
        client
            .call(new LaneMessage.Read(handle, Shape.RECORDS, true, 0, 77, 0, 0, new long[] {0}))
            .as(LaneMessage.Failure.class);
    assertThat(failure.code()).isEqualTo(Code.MALFORMED);
    assertThat(client.isClosedByNode()).isTrue();
  }

  @Test
  void slot_usedByAWaitingRead_cannotBeReadInto() throws IOException {
    try (RawClient loader = RawClient.greeted(node.socket())) {
      loader.read(loader.open(name, 100), Shape.RECORDS, true, 0, 4);
      int handle = client.open(name, 100);
      RawClient.Mapped segment = client.segment(64 << 10, 1);
      LaneMessage read =
          new LaneMessage.Read(
              handle, Shape.RECORDS, true, 0, segment.segment(), 0, 1_400, new long[] {4});
      client.send(read);
      long second = client.send(read);

      assertThat(client.receive(second).as(LaneMessage.Failure.class).message())
          .contains("another READ uses it");
      assertThat(client.isClosedByNode()).isTrue();
    }
  }

  @Test
  void inline_overTheFrame_isTooLarge() throws IOException {
    int handle = client.open(name, 100);
    Batch cold =
        client
            .read(handle, Shape.COLLATED, true, 0, LongStream.range(0, 10).toArray())
            .as(Batch.class);
    for (int i = 0; i < 10; i++) {
      client.fill(handle, i, cold.leases()[i], 0, RawClient.record(i, 1_000));
    }

    for (Shape shape : Shape.values()) {
      LaneMessage.Failure failure =
          client
              .read(handle, shape, true, 0, LongStream.range(0, 10).toArray())
              .as(LaneMessage.Failure.class);
      assertThat(failure.code()).isEqualTo(Code.TOO_LARGE);
      client.read(handle, shape, true, 0, 0, 1, 2, 3).as(Batch.class);
    }
  }

  @Test
  void open_theSameAgain_isTheSameHandle_others1024() throws IOException {
    int handle = client.open(name, 100);
    for (int pipeline = 1; pipeline < 1_024; pipeline++) {
      assertThat(client.open(name, 100, "other-" + pipeline)).isNotEqualTo(handle);
    }
    assertThat(client.open(name, 100)).isEqualTo(handle);

    LaneMessage.Failure failure =
        client
            .call(new LaneMessage.Open(100, "digest", name, "one-more", "", 255))
            .as(LaneMessage.Failure.class);
    assertThat(failure.code()).isEqualTo(Code.TOO_MANY);
    assertThat(failure.message()).contains("allowed: 1024");
  }

  @Test
  void requests_overTheLimit_areRefused() throws IOException {
    try (RawClient loader = RawClient.greeted(node.socket())) {
      loader.read(loader.open(name, 100), Shape.RECORDS, true, 0, 4);
      int handle = client.open(name, 100);
      LaneMessage read =
          new LaneMessage.Read(handle, Shape.RECORDS, true, 0, -1, -1, 1_400, new long[] {4});
      for (int i = 0; i < 4; i++) {
        client.send(read);
      }
      long fifth = client.send(read);

      LaneMessage.Failure failure = client.receive(fifth).as(LaneMessage.Failure.class);
      assertThat(failure.code()).isEqualTo(Code.TOO_MANY);
      assertThat(failure.message()).contains("lane.maxRequestsInFlight=4");
    }
  }

  @Test
  void connections_overTheLimit_areRefusedAndClosed() throws IOException {
    RawClient[] others = new RawClient[7];
    for (int i = 0; i < others.length; i++) {
      others[i] = RawClient.greeted(node.socket());
    }
    try (RawClient ninth = new RawClient(node.socket())) {
      assertThat(ninth.receive(0).as(LaneMessage.Failure.class).message())
          .contains("lane.maxConnections=8");
      assertThat(ninth.isClosedByNode()).isTrue();
    }
    for (RawClient other : others) {
      other.close();
    }
  }

  @Test
  void report_isOfVersion2Alone_andSavedLoadingFollows() throws IOException {
    try (RawClient old = new RawClient(node.socket())) {
      int version =
          old.call(new LaneMessage.Hello(1, 1, LaneMessage.Role.TRAINER, "", "test"))
              .as(LaneMessage.HelloReply.class)
              .version();
      assertThat(version).isEqualTo(1);
      LaneMessage.Failure failure =
          old.call(new ReportMessage(1, false, 0, 1, 1, 1)).as(LaneMessage.Failure.class);
      assertThat(failure.code()).isEqualTo(Code.MALFORMED);
      assertThat(failure.message()).contains("no such message in protocol version 1");
      assertThat(old.isClosedByNode()).isTrue();
    }
    try (RawClient trainer = RawClient.greeted(node.socket())) {
      int handle = trainer.open("reported", 10);
      trainer.call(new ReportMessage(handle, false, 3, 7, 2, 10)).as(LaneMessage.Done.class);
      trainer.call(new ReportMessage(handle, true, 1, 2, 0, 0)).as(LaneMessage.Done.class);
      NodeStats.Trainers told =
          node.stats().datasets().stream()
              .filter(dataset -> dataset.name().equals("reported"))
              .findAny()
              .orElseThrow()
              .trainers();
      assertThat(told).isEqualTo(new NodeStats.Trainers(3e-9, 7e-9, 1e-9, 2e-9, 2, 1e-8, 0));
      assertThat(
              trainer
                  .call(new ReportMessage(handle + 1, false, 3, 7, 2, 10))
                  .as(LaneMessage.Failure.class)
                  .code())
          .isEqualTo(Code.MALFORMED);
    }
  }

  @Test
  void hello_wrongMagicVersionOrMissing_isRefusedAndClosed() throws IOException {
    try (RawClient future = new RawClient(node.socket())) {
      LaneMessage.Failure failure =
          future
              .call(new LaneMessage.Hello(3, 4, LaneMessage.Role.TRAINER, "", "test"))
              .as(LaneMessage.Failure.class);
      assertThat(failure.code()).isEqualTo(Code.UNSUPPORTED_VERSION);
      assertThat(failure.message()).contains("3–4").contains("speaks 1–2");
      assertThat(future.isClosedByNode()).isTrue();
    }
    try (RawClient rude = new RawClient(node.socket())) {
      assertThat(rude.call(new LaneMessage.StatusRequest()).as(LaneMessage.Failure.class).message())
          .contains("before HELLO");
      assertThat(rude.isClosedByNode()).isTrue();
    }
    try (RawClient web = new RawClient(node.socket())) {
      web.write(
          ByteBuffer.wrap(
              "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n".getBytes(StandardCharsets.US_ASCII)));
      assertThat(web.receive(0).as(LaneMessage.Failure.class).code()).isEqualTo(Code.MALFORMED);
      assertThat(web.isClosedByNode()).isTrue();
    }
  }

  @Test
  void frame_announcesGigabytes_isRefusedAtItsHeader() throws IOException {
    ByteBuffer header = ByteBuffer.allocate(Frame.HEADER_BYTES);
    new Frame(Integer.MAX_VALUE, 7, 1).write(header);
    client.write(header.flip());

    assertThat(client.receive(0).as(LaneMessage.Failure.class).message())
        .contains("maxFrameBytes=9437184");
    assertThat(client.isClosedByNode()).isTrue();
  }

  @Test
  void connection_closed_freesItsSharedMemoryAtOnce() throws IOException {
    try (RawClient other = RawClient.greeted(node.socket())) {
      other.segment(1 << 20, 4);
      LaneMessage.SegmentReply neverMapped =
          other.call(new LaneMessage.Segment(64, 1)).as(LaneMessage.SegmentReply.class);
      assertThat(Path.of(neverMapped.path())).exists();
      other.hangUp();
      await().until(() -> node.stats().lane().slotsBytes() == 0);
      assertThat(Path.of(neverMapped.path())).doesNotExist();
    }
  }

  @Test
  void damagedRecord_isAMissThatCanBeRepaired() throws Exception {
    int handle = filled(2);
    await().until(() -> node.stats().fills().inFlightBytes() == 0);
    Damage.flipABit(name, 1);

    for (Shape shape : Shape.values()) {
      Batch batch = client.read(handle, shape, false, 0, 0, 1).as(Batch.class);
      assertThat(batch.statuses()).containsExactly(Status.HIT, Status.MISS);
    }
    assertThat(node.stats().datasets().stream().filter(d -> d.name().equals(name)))
        .allMatch(d -> d.damaged() == 1);
    Batch lease = client.read(handle, Shape.RECORDS, true, 0, 1).as(Batch.class);
    fill(handle, lease, 1);
    assertThat(client.read(handle, Shape.RECORDS, true, 0, 1).as(Batch.class).statuses())
        .containsExactly(Status.HIT);
  }

  @Test
  void status_isJson() throws IOException {
    assertThat(
            client.call(new LaneMessage.StatusRequest()).as(LaneMessage.StatusReply.class).json())
        .startsWith("{")
        .contains("\"lane\"");
  }

  private int filled(int count) throws IOException {
    int handle = client.open(name, Math.max(count, 100));
    long[] indices = LongStream.range(0, count).toArray();
    fill(handle, client.read(handle, Shape.RECORDS, true, 0, indices).as(Batch.class), indices);
    return handle;
  }

  private void fill(int handle, Batch leased, long... indices) throws IOException {
    for (int i = 0; i < indices.length; i++) {
      LaneMessage reply =
          client.fill(
              handle,
              indices[i],
              leased.leases()[i],
              leased.leaseVersions()[i],
              RawClient.record(indices[i], SIDE));
      assertThat(reply).isEqualTo(new FillReply(FillResult.TAKEN, ""));
    }
  }

  /** Every hit must have the bytes of its index, wherever its shape puts them. */
  private static void assertBatch(Batch batch, ByteBuffer payload, long... indices) {
    BatchCheck.assertHolds(batch, payload, SIDE, indices);
    assertThat(batch.statuses()).contains(Status.HIT);
  }

  @Test
  void segmentDirectory_holdsOnlyLiveThings() throws IOException {
    client.segment(64, 1);
    Path base =
        Path.of("/dev/shm/training-day-" + Files.getAttribute(Path.of("/proc/self"), "unix:uid"));
    try (var files = Files.walk(base)) {
      assertThat(files.map(Path::getFileName).map(Path::toString))
          .noneMatch(file -> file.startsWith("segment-"));
    }
  }
}
