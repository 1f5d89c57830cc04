package io.trainingday.node.lane;

import static org.assertj.core.api.Assertions.assertThat;

import io.trainingday.config.DataSize;
import io.trainingday.config.SettingKey;
import io.trainingday.config.Settings;
import io.trainingday.lane.LaneException.Code;
import io.trainingday.lane.LaneMessage;
import io.trainingday.lane.LaneMessage.Batch;
import io.trainingday.lane.LaneMessage.FillReply;
import io.trainingday.lane.LaneMessage.FillResult;
import io.trainingday.lane.LaneMessage.Read;
import io.trainingday.lane.LaneMessage.Shape;
import io.trainingday.lane.LaneMessage.Status;
import io.trainingday.node.CacheNode;
import io.trainingday.node.TestNodes;
import io.trainingday.node.metrics.NodeStats;
import io.trainingday.record.DType;
import io.trainingday.record.RecordCodec;
import io.trainingday.record.SampleRecord;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInfo;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** What one trainer may ask for or do, by mistake or not, and others must not pay for. */
@Timeout(120)
class CostlyReadsTest {
  private static final int MAX_FRAME_BYTES = 9 << 20;

  private static CacheNode node;

  private RawClient client;
  private int handle;
  private String name;

  @BeforeAll
  static void launch(@TempDir Path directory) {
    node =
        CacheNode.launch(
            TestNodes.settings(directory)
                .set(SettingKey.LANE_MAX_FRAME_SIZE, DataSize.parse("9MiB"))
                .set(SettingKey.LANE_SLOTS_MAX_BYTES, DataSize.parse("4GiB"))
                .set(SettingKey.LANE_SLOTS_MAX_BYTES_PER_CONNECTION, DataSize.parse("2GiB"))
                .set(SettingKey.LANE_SLOTS_WRITE, Settings.SlotWrite.MAPPED)
                // So long that no wait ends before a test is over.
                .set(SettingKey.LANE_ANSWER_TIMEOUT, Duration.ofSeconds(40))
                .set(SettingKey.FILL_LEASE_TIMEOUT, Duration.ofMinutes(2))
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
    handle = client.open(name, 100_000);
  }

  @AfterEach
  void disconnect() throws IOException {
    client.close();
  }

  @ParameterizedTest
  @EnumSource(names = {"NO_SLOT", "SLOT"})
  void ragged_tableOfManyFieldsAndSamples_isTooLarge(Where where) throws IOException {
    fill(0, record(256, 16, 1));
    RawClient.Mapped segment = client.segment(1 << 20, 1);
    int of = where == Where.SLOT ? segment.segment() : LaneMessage.NO_SLOT;
    int slot = where == Where.SLOT ? 0 : LaneMessage.NO_SLOT;

    LaneMessage.Failure failure =
        client
            .call(new Read(handle, Shape.RAGGED, true, 0, of, slot, 0, new long[65_536]))
            .as(LaneMessage.Failure.class);

    assertThat(failure.code()).isEqualTo(Code.TOO_LARGE);
    assertThat(failure.message())
        .contains("65536 samples of 256 fields", "lane.maxFrameSize=" + MAX_FRAME_BYTES);
    try (RawClient other = RawClient.greeted(node.socket())) {
      other.call(new LaneMessage.StatusRequest()).as(LaneMessage.StatusReply.class);
    }
    assertThat(client.read(handle, Shape.RAGGED, true, 0, 0).as(Batch.class).statuses())
        .containsOnly(Status.HIT);
  }

  private enum Where {
    SLOT,
    NO_SLOT
  }

  /** The values alone would fit, and so would the table. */
  @Test
  void ragged_inlineThatFitsWithoutItsTable_isTooLarge() throws IOException {
    fill(0, record(10, 8, 879));

    assertThat(
            client
                .read(handle, Shape.RAGGED, true, 0, new long[1_024])
                .as(LaneMessage.Failure.class)
                .code())
        .isEqualTo(Code.TOO_LARGE);

    long id =
        client.send(
            new Read(
                handle,
                Shape.RAGGED,
                true,
                0,
                LaneMessage.NO_SLOT,
                LaneMessage.NO_SLOT,
                0,
                new long[900]));
    assertThat(client.receiveBody(id).remaining()).isBetween(8 << 20, MAX_FRAME_BYTES);
  }

  @Test
  void read_tooManySamplesInFlight_isTooMany() throws IOException {
    fill(1, record(1, 1, 1));
    long[] indices = new long[65_536];
    Arrays.fill(indices, 1);
    indices[0] = 7;
    try (RawClient loading = RawClient.greeted(node.socket())) {
      int there = loading.open(name, 100_000);
      assertThat(loading.read(there, Shape.RECORDS, true, 0, 7).as(Batch.class).statuses())
          .containsExactly(Status.LEASED_TO_YOU);
      for (int i = 0; i < 4; i++) {
        client.send(read(30_000, indices));
      }

      long oneMore = client.send(read(0, 7));

      LaneMessage.Failure failure = client.receive(oneMore).as(LaneMessage.Failure.class);
      assertThat(failure.code()).isEqualTo(Code.TOO_MANY);
      assertThat(failure.message()).contains("262145").contains("262144");
    }
  }

  private Read read(int waitMillis, long... indices) {
    return new Read(
        handle,
        Shape.COLLATED,
        true,
        0,
        LaneMessage.NO_SLOT,
        LaneMessage.NO_SLOT,
        waitMillis,
        indices);
  }

  @Test
  void read_manyDifferentVariants_isTooLarge() throws IOException {
    assertThat(client.call(ofVariants(1_024)).as(Batch.class).statuses()).containsOnly(Status.MISS);

    LaneMessage.Failure failure = client.call(ofVariants(1_025)).as(LaneMessage.Failure.class);

    // So a client asks again for fewer.
    assertThat(failure.code()).isEqualTo(Code.TOO_LARGE);
    assertThat(failure.message()).contains("1025 different variants, allowed: 1024");
  }

  private Read ofVariants(int count) {
    return new Read(
        handle,
        Shape.RECORDS,
        false,
        0,
        LaneMessage.NO_SLOT,
        LaneMessage.NO_SLOT,
        0,
        new long[2 * count],
        new long[0],
        IntStream.range(0, 2 * count).map(i -> i % count).toArray());
  }

  @ParameterizedTest
  @EnumSource(
      value = Shape.class,
      names = {"RECORDS", "COLLATED"})
  void slot_writtenWhileItIsFilled_removesNothing(Shape shape) throws Exception {
    byte[] record = RawClient.record(1, 500);
    fill(1, record);
    RawClient.Mapped segment = client.segment(1 << 20, 1);
    AtomicBoolean over = new AtomicBoolean();
    Thread late =
        new Thread(
            () -> {
              for (byte any = 0; !over.get(); any++) {
                segment.memory().put(record.length / 2, any);
              }
            });
    late.start();
    try {
      for (int i = 0; i < 100; i++) {
        Batch batch =
            client
                .call(new Read(handle, shape, true, 0, segment.segment(), 0, 0, new long[] {1}))
                .as(Batch.class);
        assertThat(batch.statuses()).containsOnly(Status.HIT);
      }
    } finally {
      over.set(true);
      late.join();
    }
    assertThat(
            node.stats().datasets().stream()
                .filter(dataset -> dataset.name().equals(name))
                .mapToLong(NodeStats.Dataset::damaged))
        .containsExactly(0L);
  }

  @Test
  void segment_ofMoreThanOneMappingHolds_isRefusedInTrueWords() throws IOException {
    LaneMessage.Failure failure =
        client.call(new LaneMessage.Segment(64 << 20, 32)).as(LaneMessage.Failure.class);

    assertThat(failure.code()).isEqualTo(Code.NO_SEGMENT);
    assertThat(failure.message())
        .contains("a segment of 32 slots of 67108864 bytes > 2147483647 bytes, ask for fewer");
  }

  /** A record with so many fields of that rank and that many bytes each. */
  private static byte[] record(int fields, int rank, int bytes) {
    SampleRecord.Builder builder = SampleRecord.builder();
    long[] shape = new long[rank];
    Arrays.fill(shape, 1);
    shape[0] = bytes;
    for (int f = 0; f < fields; f++) {
      builder.tensor("field-" + f, DType.U8, shape, ByteBuffer.allocate(bytes));
    }
    return RecordCodec.create().encode(builder.build());
  }

  private void fill(long index, byte[] record) throws IOException {
    assertThat(client.fill(handle, index, 0, 0, record))
        .isEqualTo(new FillReply(FillResult.TAKEN, ""));
  }
}
