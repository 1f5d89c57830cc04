package io.trainingday.node.lane;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.trainingday.config.SettingKey;
import io.trainingday.lane.LaneException.Code;
import io.trainingday.lane.LaneMessage;
import io.trainingday.lane.LaneMessage.Batch;
import io.trainingday.lane.LaneMessage.FillReply;
import io.trainingday.lane.LaneMessage.FillResult;
import io.trainingday.lane.LaneMessage.Shape;
import io.trainingday.lane.LaneMessage.Status;
import io.trainingday.record.RecordLayout;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInfo;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Records of a source that has changed since, and records that are too old, here and elsewhere. */
class FreshnessTest {
  private static final int SIDE = 50;
  private static final String SHORT_LIVED = "short-lived";
  private static final long DAY_MILLIS = Duration.ofDays(1).toMillis();

  private static NodeGrid grid;

  private RawClient client;
  private String name;

  @BeforeAll
  static void launch(@TempDir Path directory) throws Exception {
    grid =
        NodeGrid.launch(
            directory,
            2,
            settings ->
                settings.setDataset(SHORT_LIVED, SettingKey.DATASET_MAX_AGE, Duration.ofDays(2)));
  }

  @AfterAll
  static void stop() {
    grid.close();
  }

  @BeforeEach
  void connect(TestInfo test) throws IOException {
    name = test.getTestMethod().orElseThrow().getName() + test.getDisplayName();
    client = RawClient.greeted(grid.node(0).socket());
  }

  @AfterEach
  void disconnect() throws IOException {
    client.close();
  }

  /** One sample of this node and one of the other. */
  private static long[] both() {
    return new long[] {grid.ownedBy(0, 1)[0], grid.ownedBy(1, 1)[0]};
  }

  @ParameterizedTest
  @EnumSource(Shape.class)
  void read_sourceHasAnotherStamp_isLoadedOnceMoreForAll(Shape shape) throws Exception {
    int handle = open(name, "stamp");
    long[] indices = both();
    fill(handle, read(handle, shape, indices, 7, 8), indices, 7, 8);
    assertThat(read(handle, shape, indices, 7, 8).statuses()).containsOnly(Status.HIT);
    long before = staleReads();

    Batch changed = read(handle, shape, indices, 17, 18);
    assertThat(changed.statuses()).containsOnly(Status.LEASED_TO_YOU);
    fill(handle, changed, indices, 17, 18);

    assertThat(read(handle, shape, indices, 17, 18).statuses()).containsOnly(Status.HIT);
    assertThat(staleReads() - before).isEqualTo(2);
  }

  @ParameterizedTest
  @EnumSource(Shape.class)
  void read_oneSourceOfSeveralHasChanged_theOthersAreHits(Shape shape) throws Exception {
    int handle = open(name, "stamp");
    long[] indices = {grid.ownedBy(0, 2)[0], grid.ownedBy(0, 2)[1], grid.ownedBy(1, 1)[0]};
    fill(handle, read(handle, shape, indices, 1, 2, 3), indices, 1, 2, 3);

    RawClient.Reply reply = client.call(request(handle, shape, indices, 1, 9, 3));

    assertThat(reply.as(Batch.class).statuses())
        .containsExactly(Status.HIT, Status.LEASED_TO_YOU, Status.HIT);
    BatchCheck.assertHolds(reply.as(Batch.class), reply.payload(), SIDE, indices);
  }

  /** A probe, or an evaluation whose files have other times, takes nothing from those who train. */
  @ParameterizedTest
  @EnumSource(Shape.class)
  void read_withoutLeasesStatesAnotherStamp_missesAndRemovesNothing(Shape shape) throws Exception {
    int handle = open(name, "stamp");
    long[] indices = both();
    fill(handle, read(handle, shape, indices, 7, 8), indices, 7, 8);
    long before = staleReads();

    Batch probed =
        client.call(request(handle, shape, indices, 17, 18).withoutLeases()).as(Batch.class);

    assertThat(probed.statuses()).containsOnly(Status.MISS);
    assertThat(staleReads() - before).isEqualTo(2);
    assertThat(read(handle, shape, indices, 7, 8).statuses()).containsOnly(Status.HIT);
  }

  @Test
  void read_withoutLeasesAndRecordIsTooOldAsWell_isRemoved() throws Exception {
    name = SHORT_LIVED;
    int handle = open(name, "");
    long[] indices = {grid.ownedBy(0, 10)[9], grid.ownedBy(1, 10)[9]};
    Batch leased = read(handle, Shape.RECORDS, indices);
    for (int i = 0; i < indices.length; i++) {
      client.fill(handle, indices[i], leased.leases()[i], 0, record(indices[i], 7, 3 * DAY_MILLIS));
    }
    awaitStored();
    long before = staleReads();

    // Found once, and not again.
    for (int round = 0; round < 2; round++) {
      LaneMessage.Read probe = request(handle, Shape.RECORDS, indices, 17, 18).withoutLeases();
      assertThat(client.call(probe).as(Batch.class).statuses()).containsOnly(Status.MISS);
      assertThat(staleReads() - before).isEqualTo(2);
    }
  }

  @Test
  void read_twoTrainersDisagree_neitherGetsTheOthersRecord() throws Exception {
    int handle = open(name, "stamp");
    long[] remote = {grid.ownedBy(1, 1)[0]};
    for (int round = 0; round < 20; round++) {
      long stamp = 1L + round % 2;
      RawClient.Reply reply = client.call(request(handle, Shape.RECORDS, remote, stamp));
      Batch batch = reply.as(Batch.class);
      if (batch.statuses()[0] == Status.HIT) {
        assertThat(RecordLayout.sourceStamp(reply.payload(), 0)).isEqualTo(stamp);
      }
      if (batch.leases().length > 0) {
        client.fill(handle, remote[0], batch.leases()[0], 0, record(remote[0], stamp, 0));
      }
    }
  }

  @ParameterizedTest
  @EnumSource(Shape.class)
  void read_recordIsOlderThanMaxAge_isLoadedAnew(Shape shape) throws Exception {
    int handle = open(SHORT_LIVED, "");
    int own = List.of(Shape.values()).indexOf(shape);
    long[] indices = {grid.ownedBy(0, 9)[own], grid.ownedBy(1, 9)[own]};
    for (long age : new long[] {3 * DAY_MILLIS, DAY_MILLIS}) {
      Batch batch = read(handle, shape, indices);
      assertThat(batch.statuses()).containsOnly(Status.LEASED_TO_YOU);
      for (int i = 0; i < indices.length; i++) {
        client.fill(handle, indices[i], batch.leases()[i], 0, record(indices[i], 0, age));
      }
      awaitStored();
    }
    assertThat(read(handle, shape, indices).statuses()).containsOnly(Status.HIT);
  }

  @Test
  void read_stampsAreNeededAndMissing_isRefusedInWords() throws Exception {
    int handle = open(name, "stamp");

    LaneMessage.Failure failure =
        client.call(request(handle, Shape.RECORDS, both())).as(LaneMessage.Failure.class);

    assertThat(failure.code()).isEqualTo(Code.REFUSED);
    assertThat(failure.message()).contains("validation=stamp", name, "stamp for each index");
  }

  private int open(String dataset, String validation) throws IOException {
    return client
        .call(new LaneMessage.Open(1_000, "digest", dataset, "pipeline-1", validation, 255))
        .as(LaneMessage.OpenReply.class)
        .handle();
  }

  private static LaneMessage.Read request(int handle, Shape shape, long[] indices, long... stamps) {
    return new LaneMessage.Read(handle, shape, true, 0, -1, -1, 0, indices, stamps, new int[0]);
  }

  private Batch read(int handle, Shape shape, long[] indices, long... stamps) throws IOException {
    return client.call(request(handle, shape, indices, stamps)).as(Batch.class);
  }

  private static byte[] record(long index, long stamp, long ageMillis) {
    return RawClient.record(index, SIDE, stamp, System.currentTimeMillis() - ageMillis);
  }

  private void fill(int handle, Batch leased, long[] indices, long... stamps) throws IOException {
    for (int i = 0; i < indices.length; i++) {
      assertThat(
              client.fill(
                  handle,
                  indices[i],
                  leased.leases()[i],
                  leased.leaseVersions()[i],
                  record(indices[i], stamps[i], 0)))
          .isEqualTo(new FillReply(FillResult.TAKEN, ""));
    }
    awaitStored();
  }

  private static void awaitStored() {
    for (int i = 0; i < 2; i++) {
      int node = i;
      await().until(() -> grid.node(node).stats().fills().inFlightBytes() == 0);
    }
  }

  private long staleReads() {
    long stale = grid.node(1).stats().peers().stale();
    return stale
        + grid.node(0).stats().datasets().stream()
            .filter(dataset -> dataset.name().equals(name))
            .mapToLong(dataset -> dataset.stale())
            .sum();
  }
}
