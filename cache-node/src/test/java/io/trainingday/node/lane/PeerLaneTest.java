package io.trainingday.node.lane;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.trainingday.lane.LaneException.Code;
import io.trainingday.lane.LaneMessage;
import io.trainingday.lane.LaneMessage.Batch;
import io.trainingday.lane.LaneMessage.FillReply;
import io.trainingday.lane.LaneMessage.FillResult;
import io.trainingday.lane.LaneMessage.Shape;
import io.trainingday.lane.LaneMessage.Status;
import io.trainingday.node.metrics.NodeStats;
import io.trainingday.record.DType;
import io.trainingday.record.RecordCodec;
import io.trainingday.record.SampleRecord;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.Arrays;
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

/** What trainers see of samples whose owner is another node, byte by byte. */
class PeerLaneTest {
  private static final int SIDE = 50;
  private static final int SAMPLES = 60;
  private static final int SLOT_BYTES = 512 << 10;

  private static NodeGrid grid;

  /** Whose primary is node 0, and node 1; the first two of each. */
  private static long[] ofA;

  private static long[] ofB;

  private RawClient a;
  private RawClient b;
  private int handleA;
  private int handleB;
  private String name;

  @BeforeAll
  static void launch(@TempDir Path directory) throws Exception {
    grid = NodeGrid.launch(directory, 2, settings -> settings);
    ofA = grid.ownedBy(0, SAMPLES / 4);
    ofB = grid.ownedBy(1, SAMPLES / 4);
  }

  @AfterAll
  static void stop() {
    grid.close();
  }

  @BeforeEach
  void connect(TestInfo test) throws IOException {
    name = test.getTestMethod().orElseThrow().getName() + test.getDisplayName();
    a = RawClient.greeted(grid.node(0).socket());
    b = RawClient.greeted(grid.node(1).socket());
    handleA = a.open(name, SAMPLES);
    handleB = b.open(name, SAMPLES);
  }

  @AfterEach
  void disconnect() throws IOException {
    a.close();
    b.close();
    await()
        .untilAsserted(
            () -> {
              for (int i = 0; i < 2; i++) {
                assertThat(grid.node(i).stats().fills().leases()).isZero();
                assertThat(grid.node(i).stats().lane().slotsBytes()).isZero();
                assertThat(grid.node(i).stats().fills().inFlightBytes()).isZero();
              }
            });
  }

  @ParameterizedTest
  @EnumSource(Shape.class)
  void read_everySample_isThereFromEveryNode(Shape shape) throws Exception {
    long[] all = LongStream.range(0, SAMPLES).toArray();
    fill(a, handleA, all);

    for (int i = 0; i < 2; i++) {
      RawClient client = i == 0 ? a : b;
      int handle = i == 0 ? handleA : handleB;
      long[] ownedByNode = grid.ownedBy(i, SAMPLES);
      long owned = LongStream.of(all).filter(index -> contains(ownedByNode, index)).count();
      NodeStats.Dataset before = reads(i);

      RawClient.Reply inline = client.read(handle, shape, true, 0, all);
      assertThat(inline.as(Batch.class).statuses()).containsOnly(Status.HIT);
      BatchCheck.assertHolds(inline.as(Batch.class), inline.payload(), SIDE, all);
      RawClient.Mapped segment = client.segment(SLOT_BYTES, 2);
      for (int round = 0; round < 2; round++) {
        Batch batch = readInto(client, segment, handle, shape, all);
        assertThat(batch.statuses()).containsOnly(Status.HIT);
        BatchCheck.assertHolds(batch, segment.memory().slice(SLOT_BYTES, SLOT_BYTES), SIDE, all);
      }

      NodeStats.Dataset after = reads(i);
      assertThat(after.local().hits() - before.local().hits()).isEqualTo(3 * owned);
      assertThat(after.peer().hits() - before.peer().hits()).isEqualTo(3 * (SAMPLES - owned));
      assertThat(after.peer().hitBytes() - before.peer().hitBytes())
          .isEqualTo(3 * (SAMPLES - owned) * RawClient.record(0, SIDE).length);
      assertThat(after.misses()).isEqualTo(before.misses());
    }
  }

  @Test
  void read_cold_countsWhatIsMissingWhereAndWhatTheTrainerLoads() throws IOException {
    read(a, handleA, Shape.COLLATED, ofA[0], ofB[0], ofB[1]);

    NodeStats.Dataset reads = reads(0);
    assertThat(reads.local().misses()).isEqualTo(1);
    assertThat(reads.peer().misses()).isEqualTo(2);
    assertThat(reads.loads()).isEqualTo(3);
    assertThat(reads.abandoned()).isZero();
  }

  @ParameterizedTest
  @EnumSource(Shape.class)
  void read_mixed_leavesHolesForTheMissing(Shape shape) throws IOException {
    fill(a, handleA, ofA[0], ofB[0]);

    RawClient.Reply reply = a.read(handleA, shape, false, 0, ofB[1], ofB[0], ofA[1], ofA[0]);

    assertThat(reply.as(Batch.class).statuses())
        .containsExactly(Status.MISS, Status.HIT, Status.MISS, Status.HIT);
    BatchCheck.assertHolds(
        reply.as(Batch.class), reply.payload(), SIDE, ofB[1], ofB[0], ofA[1], ofA[0]);
  }

  @ParameterizedTest
  @EnumSource(Shape.class)
  void read_slotTooSmall_saysHowMuchIsNeeded(Shape shape) throws IOException {
    fill(a, handleA, ofB);
    RawClient.Mapped small = a.segment(4096, 2);

    Batch refused = readInto(a, small, handleA, shape, ofB);
    assertThat(refused.tooSmall()).isTrue();
    assertThat(refused.statuses()).containsOnly(Status.MISS);

    RawClient.Mapped large = a.segment((refused.payloadBytes() + 63) / 64 * 64, 2);
    Batch batch = readInto(a, large, handleA, shape, ofB);
    assertThat(batch.statuses()).containsOnly(Status.HIT);
    int bytes = large.memory().capacity() / 2;
    BatchCheck.assertHolds(batch, large.memory().slice(bytes, bytes), SIDE, ofB);
  }

  @Test
  void read_slotTooSmall_coldSamplesNeedNoRoom() throws IOException {
    fill(a, handleA, ofA[0]);
    a.read(handleA, Shape.COLLATED, false, 0, ofA[0]); // Now the layout is known.
    RawClient.Mapped small = a.segment(64, 2);

    Batch cold = readInto(a, small, handleA, Shape.COLLATED, ofB[0], ofB[1]);
    assertThat(cold.tooSmall()).isFalse();
    assertThat(cold.statuses()).containsOnly(Status.LEASED_TO_YOU);
  }

  @Test
  void read_differentShapes_raggedWorks_collatedNamesTheSample() throws IOException {
    long[] indices = {ofA[0], ofB[0], ofB[1], ofA[1]};
    Batch cold = read(a, handleA, Shape.RAGGED, indices);
    for (int i = 0; i < indices.length; i++) {
      a.fill(
          handleA, indices[i], cold.leases()[i], 0, RawClient.record(indices[i], side(indices[i])));
    }
    awaitStored();

    for (RawClient client : new RawClient[] {a, b}) {
      int handle = client == a ? handleA : handleB;
      for (Shape shape : new Shape[] {Shape.RAGGED, Shape.RECORDS}) {
        RawClient.Reply reply = client.read(handle, shape, true, 0, indices);
        assertThat(reply.as(Batch.class).statuses()).containsOnly(Status.HIT);
        BatchCheck.assertHolds(reply.as(Batch.class), reply.payload(), PeerLaneTest::side, indices);
      }
      LaneMessage.Failure failure =
          client.read(handle, Shape.COLLATED, true, 0, indices).as(LaneMessage.Failure.class);
      assertThat(failure.code()).isEqualTo(Code.NOT_COLLATABLE);
    }
  }

  private static int side(long index) {
    return 10 + (int) index;
  }

  @Test
  void collated_otherShapeThanEverBefore_works() throws IOException {
    long[] remote = {ofB[0], ofB[1], ofB[2]};
    Batch cold = read(a, handleA, Shape.COLLATED, remote);
    for (int i = 0; i < remote.length; i++) {
      a.fill(
          handleA, remote[i], cold.leases()[i], 0, RawClient.record(remote[i], i == 0 ? 10 : 20));
    }
    awaitStored();

    for (int round = 0; round < 2; round++) {
      RawClient.Reply one = a.read(handleA, Shape.COLLATED, true, 0, remote[0]);
      assertThat(one.as(Batch.class).statuses()).containsOnly(Status.HIT);
      BatchCheck.assertHolds(one.as(Batch.class), one.payload(), 10, remote[0]);
      RawClient.Reply two = a.read(handleA, Shape.COLLATED, true, 0, remote[1], remote[2]);
      assertThat(two.as(Batch.class).statuses()).containsOnly(Status.HIT);
      BatchCheck.assertHolds(two.as(Batch.class), two.payload(), 20, remote[1], remote[2]);
    }
  }

  @ParameterizedTest
  @EnumSource(Shape.class)
  void read_attributesOfDifferentLength_areNoOtherSchema(Shape shape) throws IOException {
    long[] indices = {ofB[0], ofA[0], ofB[1], ofB[2]};
    Batch cold = read(a, handleA, shape, indices);
    for (int i = 0; i < indices.length; i++) {
      ByteBuffer image = ByteBuffer.allocate(SIDE * SIDE);
      for (int k = 0; k < image.capacity(); k++) {
        image.put(k, RawClient.pixel(indices[i], k));
      }
      byte[] record =
          RecordCodec.create()
              .encode(
                  SampleRecord.builder()
                      .tensor("image", DType.U8, new long[] {SIDE, SIDE}, image)
                      .attribute("path", "x".repeat(100 * i))
                      .build());
      a.fill(handleA, indices[i], cold.leases()[i], 0, record);
    }
    awaitStored();

    for (int round = 0; round < 2; round++) {
      RawClient.Reply reply = a.read(handleA, shape, true, 0, indices);
      assertThat(reply.as(Batch.class).statuses()).containsOnly(Status.HIT);
      BatchCheck.assertHolds(reply.as(Batch.class), reply.payload(), SIDE, indices);
    }
  }

  @Test
  void fill_throughAnyNode_servesWhoeverWaits() throws IOException {
    long[] both = {ofA[0], ofB[0]};
    Batch cold = read(a, handleA, Shape.COLLATED, both);
    assertThat(cold.statuses()).containsOnly(Status.LEASED_TO_YOU);
    assertThat(read(b, handleB, Shape.COLLATED, both).statuses())
        .containsOnly(Status.LEASED_TO_OTHER);

    long waiting = b.send(waitFor(handleB, both));
    fill(a, handleA, cold, both);

    RawClient.Reply reply = b.receive(waiting);
    assertThat(reply.as(Batch.class).statuses()).containsOnly(Status.HIT);
    BatchCheck.assertHolds(reply.as(Batch.class), reply.payload(), SIDE, both);
  }

  @Test
  void wait_loaderOnAnotherNodeGoesAway_leaseFallsToTheWaiter() throws IOException {
    RawClient loader = RawClient.greeted(grid.node(0).socket());
    loader.read(loader.open(name, SAMPLES), Shape.RECORDS, true, 0, ofA[0], ofB[0]);
    long waiting = b.send(waitFor(handleB, ofA[0], ofB[0]));
    loader.hangUp();

    // Whichever falls first is told at once; the other one is asked for again.
    assertThat(b.receive(waiting).as(Batch.class).statuses()).contains(Status.LEASED_TO_YOU);
    await()
        .until(
            () ->
                !Arrays.asList(read(b, handleB, Shape.RECORDS, ofA[0], ofB[0]).statuses())
                    .contains(Status.MISS));
  }

  @Test
  void wait_oneOfTwoOwnersLeasesFalls_replyComesAtOnce_lateLeasesAreGivenBack() throws IOException {
    RawClient loader = RawClient.greeted(grid.node(1).socket());
    int handle = loader.open(name, SAMPLES);
    Batch leases = loader.read(handle, Shape.RECORDS, true, 0, ofA[0], ofB[0]).as(Batch.class);
    long waiting = a.send(waitFor(handleA, ofA[0], ofB[0]));
    abandon(loader, handle, ofB[0], leases.leases()[1]);

    assertThat(a.receive(waiting).as(Batch.class).statuses())
        .containsExactly(Status.LEASED_TO_OTHER, Status.LEASED_TO_YOU);
    // Nobody waits for the first any more: its lease ends with the loader's.
    abandon(loader, handle, ofA[0], leases.leases()[0]);
    assertThat(read(b, handleB, Shape.RECORDS, ofA[0]).statuses())
        .containsExactly(Status.LEASED_TO_YOU);
    loader.close();
  }

  @Test
  void wait_nothingHappens_answersStillLeased() throws IOException {
    read(b, handleB, Shape.RECORDS, ofA[0], ofB[0]);

    for (Shape shape : Shape.values()) {
      assertThat(a.read(handleA, shape, true, 50, ofA[0], ofB[0]).as(Batch.class).statuses())
          .containsOnly(Status.LEASED_TO_OTHER);
    }
  }

  @Test
  void abandon_goesToTheOwnerThatGranted() throws IOException {
    Batch leases = read(a, handleA, Shape.RECORDS, ofA[0], ofB[0]);
    a.call(
        new LaneMessage.Abandon(
            handleA, 0, new long[] {ofA[0], ofB[0]}, leases.leases(), leases.leaseVersions()));

    await()
        .untilAsserted(
            () ->
                assertThat(
                        grid.node(0).stats().fills().leases()
                            + grid.node(1).stats().fills().leases())
                    .isZero());
    assertThat(reads(0).abandoned()).isEqualTo(2);
  }

  @Test
  void disconnect_freesTheLeasesAtAllOwners() throws IOException {
    RawClient other = RawClient.greeted(grid.node(0).socket());
    other.read(other.open(name, SAMPLES), Shape.RECORDS, true, 0, ofB);
    assertThat(grid.node(1).stats().fills().leases()).isEqualTo(ofB.length);

    other.hangUp();
    await().untilAsserted(() -> assertThat(grid.node(1).stats().fills().leases()).isZero());
  }

  @ParameterizedTest
  @EnumSource(Shape.class)
  void damagedAtTheOwner_isAMissThatCanBeRepaired(Shape shape) throws Exception {
    fill(a, handleA, ofB[0], ofB[1]);
    Damage.flipABit(name, ofB[1]);

    RawClient.Reply first = a.read(handleA, shape, true, 0, ofB[0], ofB[1]);
    assertThat(first.as(Batch.class).statuses()).containsExactly(Status.HIT, Status.LEASED_TO_YOU);
    BatchCheck.assertHolds(first.as(Batch.class), first.payload(), SIDE, ofB[0], ofB[1]);
    fill(a, handleA, first.as(Batch.class), ofB[1]);
    RawClient.Reply repaired = a.read(handleA, shape, true, 0, ofB[0], ofB[1]);
    assertThat(repaired.as(Batch.class).statuses()).containsOnly(Status.HIT);
    BatchCheck.assertHolds(repaired.as(Batch.class), repaired.payload(), SIDE, ofB[0], ofB[1]);
  }

  @Test
  void read_twiceTheSameRemoteSample_hasBoth() throws IOException {
    fill(a, handleA, ofB[0]);
    for (Shape shape : Shape.values()) {
      RawClient.Reply reply = a.read(handleA, shape, true, 0, ofB[0], ofB[0]);
      assertThat(reply.as(Batch.class).statuses()).containsOnly(Status.HIT);
      BatchCheck.assertHolds(reply.as(Batch.class), reply.payload(), SIDE, ofB[0], ofB[0]);
    }
  }

  @ParameterizedTest
  @EnumSource(Shape.class)
  void read_eachSampleInAVariantOfItsOwn_hasThatOne(Shape shape) throws Exception {
    long[] indices = {ofA[0], ofB[0], ofA[1], ofB[1], ofB[0]};
    int[] variants = {3, 1, 0, 3, 2};
    Batch cold = a.call(variants(shape, indices, variants)).as(Batch.class);
    assertThat(cold.statuses()).containsOnly(Status.LEASED_TO_YOU);
    for (int i = 0; i < indices.length; i++) {
      // What a variant holds is told by the pixels of another index.
      byte[] record = RawClient.record(indices[i] + 100L * variants[i], SIDE);
      a.call(
          new LaneMessage.Fill(
              handleA, variants[i], indices[i], cold.leases()[i], 0, ByteBuffer.wrap(record)));
    }
    awaitStored();

    RawClient.Reply warm = a.call(variants(shape, indices, variants));
    assertThat(warm.as(Batch.class).statuses()).containsOnly(Status.HIT);
    long[] held = new long[indices.length];
    for (int i = 0; i < indices.length; i++) {
      held[i] = indices[i] + 100L * variants[i];
    }
    BatchCheck.assertHolds(warm.as(Batch.class), warm.payload(), SIDE, held);
    variants[3] = 2;
    Batch other = a.call(variants(shape, indices, variants)).as(Batch.class);
    assertThat(other.statuses()[3]).isEqualTo(Status.LEASED_TO_YOU);
    a.call(
        new LaneMessage.Abandon(
            handleA, 2, new long[] {ofB[1]}, new long[] {other.leases()[0]}, new long[] {0}));
  }

  private LaneMessage.Read variants(Shape shape, long[] indices, int[] variants) {
    return new LaneMessage.Read(handleA, shape, true, 0, -1, -1, 0, indices, new long[0], variants);
  }

  private static boolean contains(long[] values, long value) {
    return LongStream.of(values).anyMatch(one -> one == value);
  }

  private NodeStats.Dataset reads(int node) {
    return grid.node(node).stats().datasets().stream()
        .filter(dataset -> dataset.name().equals(name))
        .findAny()
        .orElseThrow();
  }

  private static Batch read(RawClient client, int handle, Shape shape, long... indices)
      throws IOException {
    return client.read(handle, shape, true, 0, indices).as(Batch.class);
  }

  /** Into the second slot. */
  private static Batch readInto(
      RawClient client, RawClient.Mapped segment, int handle, Shape shape, long... indices)
      throws IOException {
    return client
        .call(new LaneMessage.Read(handle, shape, true, 0, segment.segment(), 1, 0, indices))
        .as(Batch.class);
  }

  private static LaneMessage.Read waitFor(int handle, long... indices) {
    return new LaneMessage.Read(handle, Shape.COLLATED, true, 0, -1, -1, 1_400, indices);
  }

  private static void abandon(RawClient client, int handle, long index, long lease)
      throws IOException {
    client.call(
        new LaneMessage.Abandon(handle, 0, new long[] {index}, new long[] {lease}, new long[] {0}));
  }

  /** Loads what is missing and waits until it is stored. */
  private static void fill(RawClient client, int handle, long... indices) throws IOException {
    fill(client, handle, read(client, handle, Shape.RECORDS, indices), indices);
  }

  private static void fill(RawClient client, int handle, Batch leased, long... indices)
      throws IOException {
    for (int i = 0; i < indices.length; i++) {
      assertThat(
              client.fill(
                  handle,
                  indices[i],
                  leased.leases()[i],
                  leased.leaseVersions()[i],
                  RawClient.record(indices[i], SIDE)))
          .isEqualTo(new FillReply(FillResult.TAKEN, ""));
    }
    awaitStored();
  }

  private static void awaitStored() {
    await()
        .until(
            () ->
                grid.node(0).stats().fills().inFlightBytes() == 0
                    && grid.node(1).stats().fills().inFlightBytes() == 0);
  }
}
