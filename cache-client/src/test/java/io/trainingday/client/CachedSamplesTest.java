package io.trainingday.client;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowable;
import static org.assertj.core.api.Assertions.tuple;
import static org.awaitility.Awaitility.await;

import ch.qos.logback.classic.Level;
import ch.qos.logback.classic.Logger;
import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.core.read.ListAppender;
import io.trainingday.client.SampleBatch.Status;
import io.trainingday.lane.LaneException;
import io.trainingday.lane.LaneMessage;
import io.trainingday.lane.LaneMessage.Batch;
import io.trainingday.lane.LaneMessage.Drop;
import io.trainingday.lane.LaneMessage.Failure;
import io.trainingday.lane.LaneMessage.Fill;
import io.trainingday.lane.LaneMessage.FillReply;
import io.trainingday.lane.LaneMessage.FillResult;
import io.trainingday.lane.LaneMessage.HelloReply;
import io.trainingday.lane.LaneMessage.Open;
import io.trainingday.lane.LaneMessage.Read;
import io.trainingday.lane.LaneMessage.Renew;
import io.trainingday.lane.LaneMessage.Segment;
import io.trainingday.lane.LaneMessage.SegmentReply;
import io.trainingday.lane.LaneMessage.Table;
import io.trainingday.lane.ReportMessage;
import io.trainingday.lane.ScriptedServer;
import io.trainingday.lane.ScriptedServer.Peer;
import io.trainingday.lane.ScriptedServer.Request;
import io.trainingday.record.DType;
import io.trainingday.record.SampleRecord;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Iterator;
import java.util.List;
import java.util.NoSuchElementException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.IntStream;
import java.util.stream.LongStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.slf4j.LoggerFactory;

@Timeout(value = 30, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class CachedSamplesTest {
  private static final long LENGTH = 1_000;
  private static final long[] BATCH = {3, 1, 4, 5, 9, 2, 6};
  private static final Logger LOGGER = (Logger) LoggerFactory.getLogger("io.trainingday.client");

  private final Path directory;
  private final ListAppender<ILoggingEvent> log = new ListAppender<>();
  private final List<AutoCloseable> opened = new ArrayList<>();

  CachedSamplesTest(@TempDir Path directory) {
    this.directory = directory;
    log.start();
    LOGGER.addAppender(log);
  }

  @AfterEach
  void closeAll() throws Exception {
    LOGGER.detachAppender(log);
    for (int i = opened.size() - 1; i >= 0; i--) {
      opened.get(i).close();
    }
  }

  // Reading through.

  @ParameterizedTest
  @EnumSource
  void read_coldThenWarm_loadsOnceAndGivesTheSameSamples(ReadShape shape) throws Exception {
    FakeNode node = node();
    CachedSamples samples = open(node);
    Samples loader = Samples.fitting(shape);

    for (int round = 0; round < 3; round++) {
      try (SampleBatch batch = samples.read(BATCH, shape, loader)) {
        loader.assertRight(batch);
        assertThat(batch.originLoads()).isEqualTo(round == 0 ? BATCH.length : 0);
        assertThat(batch.hits()).isEqualTo(round == 0 ? 0 : BATCH.length);
      }
    }

    assertThat(loader.loads()).isEqualTo(BATCH.length);
    assertThat(node.records()).hasSize(BATCH.length);
    assertThat(node.records().get(4L)).isEqualTo(loader.encoded(4));
    assertThat(samples.stats()).isEqualTo(new CacheStats(14, 7, 7, 0, 7, 0, 0, 2, 0));
  }

  @ParameterizedTest
  @EnumSource
  void read_partlyThere_holesAreFilledInPlace(ReadShape shape) throws Exception {
    FakeNode node = node();
    CachedSamples samples = open(node);
    Samples loader = Samples.fitting(shape);
    samples.read(new long[] {1, 2, 3}, shape, loader).close();

    try (SampleBatch batch = samples.read(BATCH, shape, loader)) {
      loader.assertRight(batch);
      assertThat(batch.status(0)).isEqualTo(Status.HIT);
      assertThat(batch.status(2)).isEqualTo(Status.LOADED);
      assertThat(batch.hits()).isEqualTo(3);
    }
    assertThat(loader.loads()).isEqualTo(BATCH.length);
  }

  @ParameterizedTest
  @EnumSource
  void read_sameIndexTwice_isLoadedOnceAndInBothPlaces(ReadShape shape) throws Exception {
    FakeNode node = node();
    CachedSamples samples = open(node);
    Samples loader = Samples.fitting(shape);

    for (int round = 0; round < 2; round++) {
      try (SampleBatch batch = samples.read(new long[] {7, 8, 7, 7}, shape, loader)) {
        loader.assertRight(batch);
      }
    }
    assertThat(loader.loads()).isEqualTo(2);
    assertThat(node.leasedIndices()).isEmpty();
  }

  @Test
  void read_collated_isOneAlignedArrayAField() throws Exception {
    CachedSamples samples = open(node());

    for (int round = 0; round < 2; round++) {
      try (SampleBatch batch = samples.read(BATCH, ReadShape.COLLATED, Samples.equal())) {
        SampleBatch.Field pixels = batch.field("pixels");
        assertThat(pixels.shape()).containsExactly(7, 4, 3);
        assertThat(pixels.dtype()).isEqualTo(DType.F32);
        assertThat(pixels.data().isDirect()).isTrue();
        assertThat(pixels.data().alignmentOffset(0, 64)).isZero();
        assertThat(pixels.data().remaining()).isEqualTo(7 * 4 * 3 * 4);
        assertThat(pixels.data().getFloat(7 * 4)).isEqualTo(3_007f);
        assertThat(batch.fields()).extracting(SampleBatch.Field::name).contains("pixels", "label");
        assertThat(batch.field("label").shape()).containsExactly(7);
      }
    }
  }

  @Test
  void read_ragged_isOneRunOfValuesAField() throws Exception {
    CachedSamples samples = open(node());

    for (int round = 0; round < 2; round++) {
      try (SampleBatch batch =
          samples.read(new long[] {2, 0, 4}, ReadShape.RAGGED, Samples.different())) {
        SampleBatch.Field pixels = batch.field("pixels");
        assertThat(pixels.offsets()).containsExactly(0, 24, 24, 72);
        assertThat(pixels.shape(1)).containsExactly(0, 3);
        assertThat(pixels.data().alignmentOffset(0, 64)).isZero();
        assertThatThrownBy(pixels::shape)
            .isInstanceOf(IllegalStateException.class)
            .hasMessageContaining("use shape(i)");
      }
    }
  }

  @Test
  void read_userChangesTheBatch_theCacheKeepsWhatWasLoaded() throws Exception {
    FakeNode node = node();
    CachedSamples samples = open(node);
    Samples loader = Samples.equal();

    for (int round = 0; round < 3; round++) {
      try (SampleBatch batch = samples.read(BATCH, ReadShape.COLLATED, loader)) {
        loader.assertRight(batch);
        ByteBuffer data = batch.field("pixels").data();
        while (data.hasRemaining()) {
          data.put((byte) -1);
        }
      }
      assertThat(node.records().get(9L)).isEqualTo(loader.encoded(9));
    }
  }

  @Test
  void read_loaderUsesItsBufferAgain_recordsStayWhole() throws Exception {
    CachedSamples samples = open(node(), config().loaderThreads(1).build());
    ByteBuffer one = ByteBuffer.allocate(4);
    SampleLoader reusing =
        index -> {
          one.putInt(0, (int) index);
          return SampleRecord.builder().tensor("x", DType.U8, new long[] {4}, one).build();
        };

    for (ReadShape shape : ReadShape.values()) {
      long first = 100L * shape.name().length();
      long[] indices = LongStream.range(first, first + 4).toArray();
      try (SampleBatch batch = samples.read(indices, shape, reusing)) {
        for (int i = 0; i < indices.length; i++) {
          ByteBuffer data =
              shape == ReadShape.RECORDS
                  ? batch.record(i).field("x").data()
                  : batch.field("x").data(i);
          assertThat(Integer.reverseBytes(data.getInt(0))).isEqualTo((int) indices[i]);
        }
      }
    }
  }

  @Test
  void read_withoutLoader_tellsWhatIsMissing() throws Exception {
    FakeNode node = node();
    CachedSamples samples = open(node);
    Samples loader = Samples.equal();
    node.put(1, loader.encoded(1));

    try (SampleBatch batch = samples.read(new long[] {0, 1}, ReadShape.COLLATED)) {
      assertThat(batch.status(0)).isEqualTo(Status.MISSING);
      assertThat(batch.status(1)).isEqualTo(Status.HIT);
      assertThat(batch.missing()).isEqualTo(1);
      loader.assertRight(batch, 1);
    }
    try (SampleBatch batch = samples.read(new long[] {0, 1}, ReadShape.RECORDS)) {
      loader.assertRight(batch, 1);
      assertThatThrownBy(() -> batch.record(0)).hasMessage("sample index=0 is missing");
    }
    try (SampleBatch batch = samples.read(new long[] {5}, ReadShape.COLLATED)) {
      assertThat(batch.fields()).isEmpty();
    }
    assertThat(node.leasedIndices()).isEmpty();
  }

  @Test
  void read_indexOutOfRange_isRefusedBeforeAnythingHappens() throws Exception {
    FakeNode node = node();
    CachedSamples samples = open(node);

    assertThatThrownBy(() -> samples.read(new long[] {1, 1_000}, ReadShape.RECORDS))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage("index=1000 of data set 'digits' (1000 samples), allowed: 0–999");
    assertThatThrownBy(() -> samples.read(new long[] {-1}, ReadShape.RECORDS))
        .hasMessage("index=-1 of data set 'digits' (1000 samples), allowed: 0–999");
    assertThatThrownBy(() -> samples.read(new long[0], ReadShape.RECORDS))
        .hasMessage("a batch of 0 samples, allowed: 1–65536");
    assertThat(node.received(Read.class)).isEmpty();
  }

  @Test
  void read_loaderReadsFromTheCacheItself_doesNotDeadlock() throws Exception {
    CachedSamples samples = open(node(), config().loaderThreads(1).build());
    Samples inner = Samples.equal();
    SampleLoader nested =
        index -> {
          try (SampleBatch batch =
              samples.read(new long[] {index + 500}, ReadShape.RECORDS, inner)) {
            inner.assertRight(batch);
          }
          return inner.record(index);
        };

    try (SampleBatch batch = samples.read(BATCH, ReadShape.RECORDS, nested)) {
      inner.assertRight(batch);
    }
    assertThat(inner.loads()).isEqualTo(BATCH.length);
  }

  // Failing loads.

  @Test
  void read_loaderFails_namesTheSampleAndKeepsTheOthers() throws Exception {
    FakeNode node = node();
    CachedSamples samples = open(node);
    Samples loader = Samples.equal();
    SampleLoader failing =
        index -> {
          if (index == 5) {
            throw new IOException("disk on fire");
          }
          return loader.load(index);
        };

    assertThatThrownBy(() -> samples.read(BATCH, ReadShape.COLLATED, failing))
        .isInstanceOfSatisfying(SampleLoadException.class, e -> assertThat(e.index()).isEqualTo(5))
        .hasMessage(
            "sample index=5 of data set 'digits' could not be loaded: java.io.IOException: disk on fire")
        .hasCauseInstanceOf(IOException.class);

    assertThat(node.records().keySet()).containsExactly(1L, 2L, 3L, 4L, 6L, 9L);
    assertThat(node.leasedIndices()).isEmpty();
    try (SampleBatch batch = samples.read(BATCH, ReadShape.COLLATED, loader)) {
      loader.assertRight(batch);
      assertThat(batch.originLoads()).isEqualTo(1);
    }
  }

  @Test
  void read_loaderReturnsNullOrThrowsAnError_isALoadFailure() throws Exception {
    FakeNode node = node();
    CachedSamples samples = open(node);

    assertThatThrownBy(
            () ->
                samples.read(
                    BATCH,
                    ReadShape.RECORDS,
                    index -> {
                      throw new StackOverflowError();
                    }))
        .isInstanceOf(SampleLoadException.class)
        .hasCauseInstanceOf(StackOverflowError.class);
    assertThat(node.leasedIndices()).isEmpty();
  }

  @Test
  void read_samplesOfTwoSchemasCollated_namesBothAndWhatToDo() throws Exception {
    CachedSamples samples = open(node(), config().loaderThreads(1).build());

    assertThatThrownBy(
            () -> samples.read(new long[] {1, 2}, ReadShape.COLLATED, Samples.different()))
        .isInstanceOf(CacheException.class)
        .hasMessage(
            "sample index=2 has pixels f32[2,3], label i64[], but index=1 of the same batch has pixels f32[1,3], label i64[]; use ReadShape.RAGGED or RECORDS, or resize samples to one shape");
  }

  @Test
  void read_nodeFindsSamplesNotCollatable_saysWhatToDo() throws Exception {
    FakeNode node = node();
    node.twist(
        (peer, request) ->
            fails(peer, request, Read.class, LaneException.Code.NOT_COLLATABLE, "index=2 differs"));
    CachedSamples samples = open(node);

    assertThatThrownBy(() -> samples.read(BATCH, ReadShape.COLLATED, Samples.equal()))
        .isInstanceOf(CacheException.class)
        .hasMessage(
            "data set 'digits' (1000 samples): index=2 differs; use ReadShape.RAGGED or RECORDS, or resize samples to one shape");
  }

  @Test
  void read_samplesOfTwoFamiliesRagged_isRefused() throws Exception {
    CachedSamples samples = open(node(), config().loaderThreads(1).build());
    SampleLoader mixed =
        index ->
            SampleRecord.builder()
                .tensor(
                    "x", index == 1 ? DType.U8 : DType.I8, new long[] {1}, ByteBuffer.allocate(1))
                .build();

    assertThatThrownBy(() -> samples.read(new long[] {1, 2}, ReadShape.RAGGED, mixed))
        .isInstanceOf(CacheException.class)
        .hasMessageContaining("sample index=2 has x i8[1], but index=1")
        .hasMessageContaining("use ReadShape.RECORDS");
  }

  // Other trainers.

  @ParameterizedTest
  @EnumSource
  void read_leasedToOther_waitsForTheirRecord(ReadShape shape) throws Exception {
    FakeNode node = node();
    CachedSamples samples = open(node);
    Samples loader = Samples.fitting(shape);
    node.leaseToOther(4);
    node.leaseToOther(9);
    node.twist(
        (peer, request) -> {
          if (request.message() instanceof Read read && read.waitMillis() > 0) {
            node.untwist();
            node.put(4, loader.encoded(4));
            node.put(9, loader.encoded(9));
          }
          return false;
        });

    try (SampleBatch batch = samples.read(BATCH, shape, loader)) {
      loader.assertRight(batch);
      assertThat(batch.hits()).isEqualTo(2);
    }
    assertThat(loader.loads()).isEqualTo(BATCH.length - 2);
    assertThat(samples.stats().waitedForOthers()).isEqualTo(2);
  }

  @Test
  void read_ownLeases_areFilledBeforeWaiting() throws Exception {
    FakeNode node = node();
    CachedSamples samples = open(node);
    Samples loader = Samples.equal();
    node.leaseToOther(4);
    AtomicInteger filledBefore = new AtomicInteger(-1);
    node.twist(
        (peer, request) -> {
          if (request.message() instanceof Read read && read.waitMillis() > 0) {
            filledBefore.compareAndSet(-1, node.records().size());
            node.put(4, loader.encoded(4));
          }
          return false;
        });

    samples.read(BATCH, ReadShape.COLLATED, loader).close();

    assertThat(filledBefore).hasValue(BATCH.length - 1);
  }

  @Test
  void read_otherHolderFails_theLeaseFallsToUs() throws Exception {
    FakeNode node = node();
    CachedSamples samples = open(node);
    Samples loader = Samples.equal();
    node.leaseToOther(4);
    node.twist(
        (peer, request) -> {
          if (request.message() instanceof Read read && read.waitMillis() > 0) {
            node.otherFails(4);
          }
          return false;
        });

    try (SampleBatch batch = samples.read(BATCH, ReadShape.RAGGED, loader)) {
      loader.assertRight(batch);
    }
    assertThat(loader.loads()).isEqualTo(BATCH.length);
    assertThat(node.records()).hasSize(BATCH.length);
  }

  @Test
  void read_otherNeverFills_isLoadedHereAfterTheWaitAndNotFilled() throws Exception {
    FakeNode node = node();
    CachedSamples samples = open(node, config().leaseWait(Duration.ofMillis(50)).build());
    Samples loader = Samples.equal();
    node.leaseToOther(4);

    try (SampleBatch batch = samples.read(BATCH, ReadShape.COLLATED, loader)) {
      loader.assertRight(batch);
      assertThat(batch.status(2)).isEqualTo(Status.LOADED);
    }
    assertThat(node.records().keySet()).doesNotContain(4L).hasSize(BATCH.length - 1);
  }

  @Test
  void read_ownLoadsTakeLongerThanTheWait_othersRecordsAreStillAskedFor() throws Exception {
    FakeNode node = node();
    CachedSamples samples = open(node, config().leaseWait(Duration.ofMillis(50)).build());
    Samples loader = Samples.equal();
    node.leaseToOther(4);
    SampleLoader slow =
        index -> {
          if (index == 3) {
            node.put(4, loader.encoded(4));
            Thread.sleep(100);
          }
          return loader.load(index);
        };

    try (SampleBatch batch = samples.read(BATCH, ReadShape.COLLATED, slow)) {
      loader.assertRight(batch);
      assertThat(batch.status(2)).isEqualTo(Status.HIT);
    }
    assertThat(loader.loads()).isEqualTo(BATCH.length - 1);
  }

  @Test
  void read_failsAfterLeasesWereGiven_givesThemBack() throws Exception {
    FakeNode node = node();
    CachedSamples samples = open(node);
    Samples loader = Samples.different();
    long[] low = LongStream.range(0, 200).map(i -> 5 * i + 1).toArray();
    long[] high = LongStream.range(0, 200).map(i -> 5 * i + 4).toArray();
    samples.read(low, ReadShape.COLLATED, loader).close();
    node.put(4, loader.encoded(4));
    // The slot is too small, which is said together with 199 leases; then the node fails.
    AtomicInteger reads = new AtomicInteger();
    node.twist(
        (peer, request) ->
            request.message() instanceof Read
                && reads.incrementAndGet() == 2
                && fails(peer, request, Read.class, LaneException.Code.FAILED, "bad day"));

    try (SampleBatch batch = samples.read(high, ReadShape.COLLATED, loader)) {
      loader.assertRight(batch);
    }
    assertThat(reads).hasValue(2);
    assertThat(node.leasedIndices()).isEmpty();
  }

  @Test
  void read_threadsOfOneTrainer_loadEachSampleOnce() throws Exception {
    FakeNode node = node();
    CachedSamples samples = open(node, config().loaderThreads(4).build());
    Samples loader = Samples.equal();
    List<CompletableFuture<Void>> reads = new ArrayList<>();
    for (int thread = 0; thread < 6; thread++) {
      int first = thread % 3;
      reads.add(
          CompletableFuture.runAsync(
              () -> {
                for (int step = 0; step < 10; step++) {
                  long from = (first + step) % 10 * 20L;
                  long[] indices = LongStream.range(from, from + 20).toArray();
                  try (SampleBatch batch = samples.read(indices, ReadShape.COLLATED, loader)) {
                    loader.assertRight(batch);
                  }
                }
              }));
    }
    reads.forEach(CompletableFuture::join);

    assertThat(loader.loads()).isEqualTo(200);
  }

  @Test
  void read_longLoad_renewsItsLease() throws Exception {
    HelloReply limits = new HelloReply(1, true, 1 << 20, 1 << 20, 16, 1_000, 60, 64L << 20, "here");
    FakeNode node = node(limits);
    CachedSamples samples = open(node);
    Samples loader = Samples.equal();
    SampleLoader slow =
        index -> {
          await().until(() -> node.received(Renew.class).size() >= 2);
          return loader.load(index);
        };

    samples.read(new long[] {8}, ReadShape.RECORDS, slow).close();

    Renew renewed = node.received(Renew.class).get(0);
    assertThat(renewed.indices()).containsExactly(8);
    assertThat(renewed.leases()).containsExactly(node.received(Fill.class).get(0).lease());
  }

  // Fills.

  @Test
  void read_nodeBusy_recordIsOfferedAgainBesideTheTraining() throws Exception {
    FakeNode node = node();
    AtomicInteger busy = new AtomicInteger(2);
    node.twist(
        (peer, request) -> {
          if (request.message() instanceof Fill && busy.getAndDecrement() > 0) {
            peer.send(new FillReply(FillResult.BUSY, ""), request.id());
            return true;
          }
          return false;
        });
    CachedSamples samples = open(node);
    Samples loader = Samples.equal();

    samples.read(new long[] {1}, ReadShape.COLLATED, loader).close();

    await().untilAsserted(() -> assertThat(samples.stats().fillsTaken()).isEqualTo(1));
    assertThat(node.records().get(1L)).isEqualTo(loader.encoded(1));
  }

  @Test
  void read_nodeBusyForTheWholeLease_isDroppedAndTheLeaseGivenBack() throws Exception {
    HelloReply limits = new HelloReply(1, true, 1 << 20, 1 << 20, 16, 1_000, 60, 64L << 20, "here");
    FakeNode node = node(limits);
    node.twist(
        (peer, request) -> {
          if (request.message() instanceof Fill) {
            peer.send(new FillReply(FillResult.BUSY, ""), request.id());
            return true;
          }
          return false;
        });
    CachedSamples samples = open(node);

    samples.read(new long[] {1}, ReadShape.COLLATED, Samples.equal()).close();

    await().untilAsserted(() -> assertThat(samples.stats().fillsDropped()).isEqualTo(1));
    await().untilAsserted(() -> assertThat(node.leasedIndices()).isEmpty());
  }

  @Test
  void read_nodeRefusesTheRecord_saysWhy() throws Exception {
    FakeNode node = node();
    node.twist(
        (peer, request) ->
            fails(
                peer, request, Fill.class, LaneException.Code.REFUSED, "other fields than before"));
    CachedSamples samples = open(node);

    assertThatThrownBy(() -> samples.read(new long[] {1}, ReadShape.COLLATED, Samples.equal()))
        .isInstanceOf(CacheException.class)
        .hasMessage("sample index=1 of data set 'digits' (1000 samples): other fields than before");
    assertThat(node.leasedIndices()).isEmpty();
  }

  @Test
  void read_recordOverTheLimit_isDeliveredNotKeptAndSaidOnce() throws Exception {
    HelloReply limits = new HelloReply(1, true, 1 << 20, 100, 16, 1_000, 10_000, 64L << 20, "here");
    FakeNode node = node(limits);
    CachedSamples samples = open(node);
    Samples loader = Samples.equal();

    try (SampleBatch batch = samples.read(BATCH, ReadShape.COLLATED, loader)) {
      loader.assertRight(batch);
    }
    assertThat(samples.stats().fillsDropped()).isEqualTo(BATCH.length);
    assertThat(node.leasedIndices()).isEmpty();
    assertThat(warnings()).hasSize(1);
    assertThat(warnings().get(0)).contains("> maxRecordBytes=100, raise lane.maxRecordSize");
  }

  @Test
  void read_moreThanMemoryTogether_waitsForTheOtherAndFailsNever() throws Exception {
    CachedSamples samples = open(node(), config().memory(1 << 20).build());
    samples.read(new long[] {0, 1}, ReadShape.RECORDS, CachedSamplesTest::large).close();
    CountDownLatch go = new CountDownLatch(1);
    CompletableFuture<SampleBatch> first =
        CompletableFuture.supplyAsync(
            () ->
                samples.read(
                    new long[] {2, 3},
                    ReadShape.RECORDS,
                    index -> {
                      go.await();
                      return large(index);
                    }));
    await().until(() -> threadsIn("LoaderPool", "run") == 1);
    CompletableFuture<SampleBatch> second =
        CompletableFuture.supplyAsync(
            () -> samples.read(new long[] {4, 5}, ReadShape.RECORDS, CachedSamplesTest::large));
    await().until(() -> threadsIn("LaneMemory", "reserve") == 1);

    go.countDown();
    try (SampleBatch one = first.join();
        SampleBatch other = second.join()) {
      assertThat(one.record(0).field("x").data().get(7)).isEqualTo((byte) 2);
      assertThat(other.record(1).field("x").data().get(7)).isEqualTo((byte) 5);
    }
  }

  private static SampleRecord large(long index) {
    ByteBuffer data = ByteBuffer.allocate(300_000).put(7, (byte) index);
    return SampleRecord.builder().tensor("x", DType.U8, new long[] {300_000}, data).build();
  }

  private static long threadsIn(String type, String method) {
    return Thread.getAllStackTraces().values().stream()
        .filter(
            stack ->
                Arrays.stream(stack)
                    .anyMatch(
                        frame ->
                            frame.getClassName().endsWith(type)
                                && frame.getMethodName().equals(method)))
        .count();
  }

  // Shared memory.

  @Test
  void read_batchOutgrowsItsSlot_asksForALargerSegmentAndDropsTheOld() throws Exception {
    FakeNode node = node();
    CachedSamples samples = open(node);
    Samples loader = Samples.equal();
    long[] many = LongStream.range(0, 400).toArray();
    samples.read(BATCH, ReadShape.COLLATED, loader).close();
    samples.read(BATCH, ReadShape.COLLATED, loader).close();
    SampleBatch small = samples.read(BATCH, ReadShape.COLLATED, loader);
    samples.read(many, ReadShape.COLLATED, loader).close();

    loader.assertRight(small);
    assertThat(node.received(Drop.class)).isEmpty();
    small.close();

    assertThat(node.received(Segment.class)).extracting(Segment::slots).containsExactly(4, 4);
    await().untilAsserted(() -> assertThat(node.received(Drop.class)).hasSize(1));
    try (SampleBatch batch = samples.read(many, ReadShape.COLLATED, loader)) {
      loader.assertRight(batch);
      assertThat(batch.hits()).isEqualTo(400);
    }
    assertThat(samples.stats().inlineBatches()).isZero();
    assertThat(directory).isDirectoryNotContaining("glob:**segment*");
  }

  @ParameterizedTest
  @EnumSource
  void read_slotTooSmallSaysTheNode_readsAgainAndKeepsItsLeases(ReadShape shape) throws Exception {
    FakeNode node = node();
    CachedSamples samples = open(node);
    Samples loader = Samples.fitting(shape);
    samples.read(new long[] {1, 2}, shape, loader).close();
    AtomicBoolean once = new AtomicBoolean();
    node.twist(
        (peer, request) -> {
          if (request.message() instanceof Read read
              && read.slot() >= 0
              && once.compareAndSet(false, true)) {
            LaneMessage.Status[] statuses = {
              LaneMessage.Status.MISS,
              LaneMessage.Status.LEASED_TO_YOU,
              LaneMessage.Status.LEASED_TO_OTHER
            };
            node.leaseToOther(77);
            peer.send(
                new Batch(
                    0,
                    read.shape(),
                    false,
                    true,
                    10_000,
                    statuses,
                    new long[] {41},
                    new long[] {5},
                    new Table.Empty()),
                request.id());
            return true;
          }
          return false;
        });
    node.leaseToOther(77);
    CompletableFuture<Void> other =
        CompletableFuture.runAsync(
            () -> {
              await().until(() -> node.received(Fill.class).size() == 3);
              node.put(77, loader.encoded(77));
            });

    try (SampleBatch batch = samples.read(new long[] {1, 77, 77}, shape, loader)) {
      loader.assertRight(batch);
    }
    other.join();
    assertThat(node.received(Segment.class)).last().extracting(Segment::slotBytes).isNotNull();
    assertThat(node.received(Fill.class)).last().extracting(Fill::lease).isEqualTo(41L);
  }

  @Test
  void read_noSegment_goesInlineAndSaysSoOnce() throws Exception {
    FakeNode node = node();
    node.twist(
        (peer, request) ->
            fails(peer, request, Segment.class, LaneException.Code.NO_SEGMENT, "/dev/shm is full"));
    CachedSamples samples = open(node);
    Samples loader = Samples.equal();

    for (int round = 0; round < 4; round++) {
      try (SampleBatch batch = samples.read(BATCH, ReadShape.COLLATED, loader)) {
        loader.assertRight(batch);
      }
    }
    assertThat(samples.stats().inlineBatches()).isEqualTo(3);
    assertThat(samples.stats().slotBatches()).isZero();
    assertThat(warnings())
        .containsExactly(
            "no shared memory, batches come through the socket, which is slower: /dev/shm is full");
    // 4, 2, 1 slots, and not again for every batch.
    assertThat(node.received(Segment.class)).extracting(Segment::slots).containsExactly(4, 2, 1);
  }

  @Test
  void read_littleSharedMemory_takesFewerSlots() throws Exception {
    FakeNode node = node();
    node.twist(
        (peer, request) ->
            request.message() instanceof Segment segment
                && segment.slots() > 1
                && fails(peer, request, Segment.class, LaneException.Code.NO_SEGMENT, "full"));
    CachedSamples samples = open(node);
    Samples loader = Samples.equal();

    for (int round = 0; round < 3; round++) {
      samples.read(BATCH, ReadShape.COLLATED, loader).close();
    }
    assertThat(samples.stats().slotBatches()).isEqualTo(2);
    assertThat(warnings()).isEmpty();
  }

  @Test
  void stream_noSharedMemoryForMoreSlots_keepsThoseThereAre() throws Exception {
    FakeNode node = node();
    CachedSamples samples = open(node);
    Samples loader = Samples.equal();
    samples.read(BATCH, ReadShape.COLLATED, loader).close();
    samples.read(BATCH, ReadShape.COLLATED, loader).close();
    node.twist(
        (peer, request) ->
            request.message() instanceof Segment segment
                && segment.slots() > 2
                && fails(peer, request, Segment.class, LaneException.Code.NO_SEGMENT, "full"));
    List<SampleBatch> held = new ArrayList<>();
    try (BatchStream stream = samples.stream(plan(1).iterator(), ReadShape.COLLATED, loader, 1)) {
      for (int i = 0; i < 8; i++) {
        held.add(samples.read(BATCH, ReadShape.COLLATED, loader));
      }
      held.forEach(loader::assertRight);
      held.forEach(SampleBatch::close);
      stream.next().close();
    }

    assertThat(node.received(Segment.class)).extracting(Segment::slots).containsExactly(4, 7);
    assertThat(node.received(Drop.class)).isEmpty();
    assertThat(samples.stats().slotBatches()).isGreaterThanOrEqualTo(5);
  }

  @Test
  void read_littleSharedMemory_isNotAskedForMoreWithEveryBatch() throws Exception {
    FakeNode node = node();
    node.twist(
        (peer, request) ->
            request.message() instanceof Segment segment
                && segment.slots() > 1
                && fails(peer, request, Segment.class, LaneException.Code.NO_SEGMENT, "full"));
    CachedSamples samples = open(node);
    Samples loader = Samples.equal();
    samples.read(BATCH, ReadShape.COLLATED, loader).close();
    List<SampleBatch> held = new ArrayList<>();
    for (int i = 0; i < 6; i++) {
      held.add(samples.read(BATCH, ReadShape.COLLATED, loader));
    }

    held.forEach(loader::assertRight);
    held.forEach(SampleBatch::close);
    assertThat(node.received(Segment.class)).extracting(Segment::slots).containsExactly(4, 2, 1);
  }

  @Test
  void read_segmentCannotBeMapped_goesInlineAndGivesItBack() throws Exception {
    for (Path path :
        List.of(directory.resolve("none"), Files.createFile(directory.resolve("empty")))) {
      try (FakeNode node = FakeNode.start(directory)) {
        node.twist(
            (peer, request) -> {
              if (request.message() instanceof Segment) {
                peer.send(new SegmentReply(9, path.toString()), request.id());
                return true;
              }
              return false;
            });
        CachedSamples samples = open(node);
        Samples loader = Samples.equal();
        for (int round = 0; round < 3; round++) {
          try (SampleBatch batch = samples.read(BATCH, ReadShape.COLLATED, loader)) {
            loader.assertRight(batch);
          }
        }
        assertThat(samples.stats().inlineBatches()).isEqualTo(2);
        assertThat(node.received(Drop.class)).containsExactly(new Drop(9));
        assertThat(warnings()).last().asString().contains(path + " cannot be mapped");
      }
    }
    assertThat(warnings().stream().filter(one -> one.contains("cannot be mapped"))).hasSize(2);
  }

  @Test
  void read_interruptedThread_getsItsSlotAndStaysInterrupted() throws Exception {
    CachedSamples samples = open(node());
    Samples loader = Samples.equal();
    Thread.currentThread().interrupt();
    for (int round = 0; round < 2; round++) {
      try (SampleBatch batch = samples.read(BATCH, ReadShape.COLLATED, loader)) {
        loader.assertRight(batch);
      }
    }

    assertThat(Thread.interrupted()).isTrue();
    assertThat(warnings()).isEmpty();
    assertThat(samples.stats().slotBatches()).isEqualTo(1);
  }

  @Test
  void read_allSlotsInUse_goesInline() throws Exception {
    CachedSamples samples = open(node(), config().slots(2).build());
    Samples loader = Samples.equal();
    samples.read(BATCH, ReadShape.COLLATED, loader).close();
    List<SampleBatch> held = new ArrayList<>();
    for (int i = 0; i < 4; i++) {
      held.add(samples.read(BATCH, ReadShape.COLLATED, loader));
    }

    held.forEach(loader::assertRight);
    assertThat(samples.stats().slotBatches()).isEqualTo(2);
    assertThat(samples.stats().inlineBatches()).isEqualTo(2);
    held.get(0).close();
    samples.read(BATCH, ReadShape.COLLATED, loader).close();
    assertThat(samples.stats().slotBatches()).isEqualTo(3);
    held.forEach(SampleBatch::close);
  }

  @Test
  void close_twice_givesTheSlotBackOnce() throws Exception {
    CachedSamples samples = open(node(), config().slots(2).build());
    Samples loader = Samples.equal();
    samples.read(BATCH, ReadShape.COLLATED, loader).close();
    SampleBatch first = samples.read(BATCH, ReadShape.COLLATED, loader);
    first.close();
    first.close();

    SampleBatch one = samples.read(BATCH, ReadShape.COLLATED, loader);
    SampleBatch other = samples.read(new long[] {1, 2}, ReadShape.COLLATED, loader);
    loader.assertRight(one);
    loader.assertRight(other);
    one.close();
    other.close();
  }

  @Test
  void close_access_throws() throws Exception {
    CachedSamples samples = open(node());
    SampleBatch collated = samples.read(BATCH, ReadShape.COLLATED, Samples.equal());
    SampleBatch.Field field = collated.field("label");
    SampleBatch records = samples.read(BATCH, ReadShape.RECORDS, Samples.equal());
    collated.close();
    records.close();

    assertThatThrownBy(() -> collated.field("label"))
        .isInstanceOf(IllegalStateException.class)
        .hasMessage("the batch is closed, its memory may hold another batch");
    assertThatThrownBy(field::data).isInstanceOf(IllegalStateException.class);
    assertThatThrownBy(() -> field.data(0)).isInstanceOf(IllegalStateException.class);
    assertThatThrownBy(() -> records.record(0)).isInstanceOf(IllegalStateException.class);
  }

  @ParameterizedTest
  @EnumSource
  void close_poisoning_overwritesSlotsAndOwnMemory(ReadShape shape) throws Exception {
    CachedSamples samples = open(node(), config().poisonReleased(true).build());
    Samples loader = Samples.fitting(shape);

    for (int round = 0; round < 2; round++) {
      SampleBatch batch = samples.read(BATCH, shape, loader);
      ByteBuffer view =
          shape == ReadShape.RECORDS
              ? batch.record(2).field("label").data()
              : batch.field("label").data(2);
      assertThat(view.getLong(0)).isEqualTo(-4);
      batch.close();
      assertThat(view.getLong(0)).isEqualTo(0xDBDBDBDBDBDBDBDBL);
    }
  }

  @Test
  void field_unknown_listsThoseThereAre() throws Exception {
    CachedSamples samples = open(node());
    try (SampleBatch batch = samples.read(BATCH, ReadShape.COLLATED, Samples.equal())) {
      assertThatThrownBy(() -> batch.field("image"))
          .hasMessage("field 'image' is not in the batch, it has: pixels, label");
      assertThatThrownBy(() -> batch.record(0)).isInstanceOf(IllegalStateException.class);
    }
    try (SampleBatch batch = samples.read(BATCH, ReadShape.RECORDS, Samples.equal())) {
      assertThatThrownBy(batch::fields).isInstanceOf(IllegalStateException.class);
    }
  }

  @ParameterizedTest
  @EnumSource
  void read_replyTooLargeForAFrame_isReadInPieces(ReadShape shape) throws Exception {
    HelloReply small =
        new HelloReply(1, false, 65 << 10, 1 << 20, 16, 1_000, 10_000, 64L << 20, "here");
    FakeNode node = node(small);
    CachedSamples samples = open(node);
    Samples loader = Samples.fitting(shape);
    long[] many = LongStream.range(0, 40).toArray();
    samples.read(many, shape, loader).close();

    try (SampleBatch batch = samples.read(many, shape, loader)) {
      loader.assertRight(batch);
      assertThat(batch.hits()).isEqualTo(many.length);
    }
    try (SampleBatch batch = samples.read(many, shape)) {
      loader.assertRight(batch);
    }
    assertThat(loader.loads()).isEqualTo(many.length);
    assertThat(samples.stats().waitedForOthers()).isZero();
    assertThat(node.received(Read.class).size()).isGreaterThan(10);
  }

  @Test
  void read_slotTooSmallAndReplyTooLarge_isReadInPiecesNotLoaded() throws Exception {
    HelloReply small =
        new HelloReply(1, true, 65 << 10, 1 << 20, 16, 1_000, 10_000, 8 << 10, "here");
    FakeNode node = node(small);
    CachedSamples samples = open(node);
    Samples loader = Samples.different();
    // Slots are made for the first, the second do not fit any slot nor a frame.
    long[] low = LongStream.range(0, 200).map(i -> 5 * i + 1).toArray();
    long[] high = LongStream.range(0, 200).map(i -> 5 * i + 4).toArray();
    samples.read(low, ReadShape.COLLATED, loader).close();
    for (long index : high) {
      node.put(index, loader.encoded(index));
    }

    try (SampleBatch batch = samples.read(high, ReadShape.COLLATED, loader)) {
      loader.assertRight(batch);
      assertThat(batch.hits()).isEqualTo(high.length);
    }
    assertThat(loader.loads()).isEqualTo(low.length);
  }

  @ParameterizedTest
  @EnumSource
  void read_warmNodeAndReplyTooLarge_takesASlotNextTime(ReadShape shape) throws Exception {
    HelloReply small =
        new HelloReply(1, true, 65 << 10, 1 << 20, 16, 1_000, 10_000, 64L << 20, "here");
    FakeNode node = node(small);
    CachedSamples samples = open(node);
    Samples loader = Samples.fitting(shape);
    long[] many = LongStream.range(0, 40).toArray();
    for (long index : many) {
      node.put(index, loader.encoded(index));
    }

    for (int round = 0; round < 2; round++) {
      try (SampleBatch batch = samples.read(many, shape, loader)) {
        loader.assertRight(batch);
      }
    }
    assertThat(loader.loads()).isZero();
    assertThat(samples.stats().slotBatches()).isEqualTo(1);
  }

  // A node that is not there, or not well.

  @Test
  void connect_nobodyThere_saysSoOnceAndAttachesWhenTheNodeAppears() throws Exception {
    TrainingCache cache = connect(config().build());
    CachedSamples samples = cache.open(spec());
    Samples loader = Samples.equal();
    for (ReadShape shape : ReadShape.values()) {
      try (SampleBatch batch = samples.read(BATCH, shape, loader)) {
        loader.assertRight(batch);
        assertThat(batch.generation()).isEqualTo(-1);
      }
    }
    assertThat(cache.isAttached()).isFalse();
    assertThat(warnings()).hasSize(1);
    assertThat(warnings().get(0))
        .startsWith("no cache node at unix:" + FakeNode.socket(directory) + " (the address given)")
        .contains("`training-day serve`", "TRAINING_DAY_ADDRESS");

    FakeNode node = node();
    await().until(cache::isAttached);
    samples.read(BATCH, ReadShape.COLLATED, loader).close();

    assertThat(node.records()).hasSize(BATCH.length);
    assertThat(warnings()).hasSize(1);
    assertThat(log.list.stream().filter(event -> event.getLevel() == Level.INFO)).hasSize(1);
  }

  @ParameterizedTest
  @EnumSource
  void read_nodeDiesInAnyRequest_givesTheBatchFromTheOrigin(ReadShape shape) throws Exception {
    for (Class<? extends LaneMessage> kind :
        List.<Class<? extends LaneMessage>>of(Open.class, Read.class, Fill.class, Segment.class)) {
      try (FakeNode node = FakeNode.start(directory);
          TrainingCache cache = TrainingCache.connect(config().build())) {
        node.put(1, Samples.fitting(shape).encoded(1));
        AtomicInteger let = new AtomicInteger(kind == Read.class ? 1 : 0);
        node.twist(
            (peer, request) -> {
              if (kind.isInstance(request.message()) && let.getAndDecrement() <= 0) {
                peer.close();
                return true;
              }
              return false;
            });
        CachedSamples samples = cache.open(spec());
        Samples loader = Samples.fitting(shape);
        for (int round = 0; round < 3; round++) {
          try (SampleBatch batch = samples.read(BATCH, shape, loader)) {
            loader.assertRight(batch);
          }
        }
        assertThat(cache.isAttached()).isFalse();
      }
    }
  }

  @Test
  void read_nodeDies_isSaidOnceAndCountedWhenItIsBack() throws Exception {
    FakeNode node = node();
    TrainingCache cache = connect(config().build());
    CachedSamples samples = cache.open(spec());
    Samples loader = Samples.equal();
    samples.read(BATCH, ReadShape.COLLATED, loader).close();
    SampleBatch kept = samples.read(BATCH, ReadShape.COLLATED, loader);

    node.dropConnections();
    for (int i = 0; i < 3; i++) {
      samples.read(new long[] {11}, ReadShape.COLLATED, loader).close();
    }
    assertThat(warnings()).hasSize(1);
    assertThat(warnings().get(0)).startsWith("the connection to the cache node is lost: ");
    loader.assertRight(kept);
    kept.close();

    await().until(cache::isAttached);
    try (SampleBatch batch = samples.read(BATCH, ReadShape.COLLATED, loader)) {
      assertThat(batch.hits()).isEqualTo(BATCH.length);
      loader.assertRight(batch);
    }
    assertThat(samples.stats().reconnects()).isEqualTo(1);
    assertThat(warnings()).hasSize(1);
  }

  @Test
  void read_nodeSilent_comesFromTheOriginAndTheNextBatchesDoNotWait() throws Exception {
    FakeNode node = node();
    TrainingCache cache = connect(config().answerTimeout(Duration.ofMillis(200)).build());
    CachedSamples samples = cache.open(spec());
    Samples loader = Samples.equal();
    AtomicInteger unanswered = new AtomicInteger();
    node.twist(
        (peer, request) -> {
          unanswered.incrementAndGet();
          return true;
        });

    for (int i = 0; i < 20; i++) {
      try (SampleBatch batch = samples.read(BATCH, ReadShape.COLLATED, loader)) {
        loader.assertRight(batch);
        assertThat(batch.originLoads()).isEqualTo(BATCH.length);
      }
    }
    // One request went unanswered; the breaker kept all others away from the node.
    assertThat(unanswered).hasValue(1);

    node.untwist();
    await().until(cache::isAttached);
    samples.read(BATCH, ReadShape.COLLATED, loader).close();
    assertThat(node.records()).hasSize(BATCH.length);
  }

  @Test
  void read_slowReplyAfterTheDeadline_neverLandsInALaterBatch() throws Exception {
    FakeNode node = node();
    TrainingCache cache = connect(config().answerTimeout(Duration.ofMillis(200)).slots(1).build());
    CachedSamples samples = cache.open(spec());
    Samples loader = Samples.equal();
    samples.read(BATCH, ReadShape.COLLATED, loader).close();
    samples.read(BATCH, ReadShape.COLLATED, loader).close();
    CountDownLatch writeNow = new CountDownLatch(1);
    CountDownLatch written = new CountDownLatch(1);
    node.twist(
        (peer, request) -> {
          if (request.message() instanceof Read read && read.slot() >= 0) {
            node.untwist();
            ByteBuffer late = node.slot(read);
            join(writeNow);
            for (int i = 0; i < late.capacity(); i++) {
              late.put(i, (byte) 0x55);
            }
            written.countDown();
          }
          return false;
        });
    samples.read(BATCH, ReadShape.COLLATED, loader).close();
    await().until(cache::isAttached);
    List<SampleBatch> later = new ArrayList<>();
    for (int i = 0; i < 3; i++) {
      later.add(samples.read(BATCH, ReadShape.COLLATED, loader));
    }
    assertThat(samples.stats().slotBatches()).isGreaterThan(1);
    writeNow.countDown();
    join(written);

    later.forEach(loader::assertRight);
    later.forEach(SampleBatch::close);
  }

  @Test
  void read_nodeAnswersWithAnError_comesFromTheOrigin() throws Exception {
    for (LaneException.Code code :
        List.of(
            LaneException.Code.FAILED,
            LaneException.Code.TOO_MANY,
            LaneException.Code.STOPPING,
            LaneException.Code.MALFORMED)) {
      try (FakeNode node = FakeNode.start(directory)) {
        node.twist((peer, request) -> fails(peer, request, Read.class, code, "bad day"));
        CachedSamples samples = open(node);
        Samples loader = Samples.equal();
        for (int i = 0; i < 3; i++) {
          try (SampleBatch batch = samples.read(BATCH, ReadShape.RAGGED, loader)) {
            loader.assertRight(batch);
          }
        }
      }
    }
    assertThat(warnings().stream().filter(one -> one.contains("bad day"))).hasSize(4);
  }

  @ParameterizedTest
  @EnumSource
  void read_replyDoesNotFitTheRequest_comesFromTheOrigin(ReadShape shape) throws Exception {
    Samples loader = Samples.fitting(shape);
    byte[] record = loader.encoded(3);
    LaneMessage.Status hit = LaneMessage.Status.HIT;
    byte[] layout = Arrays.copyOf(record, 64);
    LaneMessage.Shape own = LaneMessage.Shape.valueOf(shape.name());
    List<Table> tables =
        switch (shape) {
          case RECORDS ->
              List.of(
                  new Table.Records(new long[] {64}, new int[] {record.length}),
                  new Table.Records(new long[] {Long.MAX_VALUE & -64}, new int[] {record.length}),
                  new Table.Records(new long[] {1}, new int[] {64}),
                  new Table.Records(new long[] {0}, new int[] {Integer.MAX_VALUE}),
                  new Table.Records(new long[] {0}, new int[] {1}));
          case COLLATED ->
              List.of(
                  new Table.Empty(),
                  new Table.Collated(layout),
                  new Table.Collated(new byte[10]),
                  new Table.Collated(record));
          case RAGGED ->
              List.of(
                  new Table.Empty(),
                  new Table.Ragged(record, List.of()),
                  new Table.Ragged(
                      record,
                      List.of(
                          field(2, 0, new long[] {0, 1 << 30}, 3, 3),
                          field(0, 64, new long[] {0, 8}))),
                  new Table.Ragged(
                      record,
                      List.of(
                          field(2, 0, new long[] {0, 12}, 1L << 62, 3),
                          field(0, 64, new long[] {0, 8}))),
                  new Table.Ragged(
                      record,
                      List.of(
                          field(2, 0, new long[] {0, -12}, -1, 3),
                          field(0, 64, new long[] {0, 8}))),
                  new Table.Ragged(
                      record,
                      List.of(
                          field(2, 0, new long[] {0, -1}, -1, 3),
                          field(0, 64, new long[] {0, 8}))));
        };
    for (Table table : tables) {
      try (FakeNode node = FakeNode.start(directory)) {
        node.twist(
            (peer, request) -> {
              if (request.message() instanceof Read) {
                peer.send(
                    new Batch(
                        1,
                        own,
                        true,
                        false,
                        record.length,
                        new LaneMessage.Status[] {hit},
                        new long[0],
                        new long[0],
                        table),
                    request.id(),
                    ByteBuffer.wrap(record));
                return true;
              }
              return false;
            });
        CachedSamples samples = open(node);
        try (SampleBatch batch = samples.read(new long[] {3}, shape, loader)) {
          loader.assertRight(batch);
          assertThat(batch.status(0)).as("%s", table).isEqualTo(Status.LOADED);
        }
      }
    }
  }

  @Test
  void open_refused_saysWhatTheNodeSays() throws Exception {
    FakeNode node = node();
    node.twist(
        (peer, request) ->
            fails(peer, request, Open.class, LaneException.Code.REFUSED, "10 samples, not 1000"));
    TrainingCache cache = connect(config().build());

    assertThatThrownBy(() -> cache.open(spec()))
        .isInstanceOf(CacheException.class)
        .hasMessage("data set 'digits' (1000 samples): 10 samples, not 1000");
  }

  @Test
  void open_refusedLater_theNextReadSaysSo() throws Exception {
    TrainingCache cache = connect(config().build());
    CachedSamples samples = cache.open(spec());
    samples.read(BATCH, ReadShape.COLLATED, Samples.equal()).close();
    FakeNode node = node();
    node.twist(
        (peer, request) -> fails(peer, request, Open.class, LaneException.Code.REFUSED, "not so"));
    await().until(cache::isAttached);

    assertThatThrownBy(() -> samples.read(BATCH, ReadShape.COLLATED, Samples.equal()))
        .isInstanceOf(CacheException.class)
        .hasMessageContaining("not so");
  }

  @Test
  void read_afterClose_isRefused() throws Exception {
    FakeNode node = node();
    TrainingCache cache = connect(config().build());
    CachedSamples samples = cache.open(spec());
    Samples loader = Samples.equal();
    samples.read(BATCH, ReadShape.COLLATED, loader).close();
    SampleBatch batch = samples.read(BATCH, ReadShape.COLLATED, loader);
    cache.close();

    loader.assertRight(batch);
    batch.close();
    assertThatThrownBy(() -> samples.read(BATCH, ReadShape.COLLATED, loader))
        .isInstanceOf(IllegalStateException.class)
        .hasMessage("the training cache is closed");
    assertThat(node.records()).hasSize(BATCH.length);
  }

  @Test
  void close_duringARead_letsItEndFromTheOrigin() throws Exception {
    node();
    TrainingCache cache = connect(config().loaderThreads(1).build());
    CachedSamples samples = cache.open(spec());
    Samples loader = Samples.equal();
    CountDownLatch loading = new CountDownLatch(1);
    CountDownLatch closed = new CountDownLatch(1);
    SampleLoader slow =
        index -> {
          loading.countDown();
          closed.await();
          return loader.load(index);
        };
    CompletableFuture<SampleBatch> read =
        CompletableFuture.supplyAsync(() -> samples.read(BATCH, ReadShape.COLLATED, slow));
    join(loading);
    cache.close();
    closed.countDown();

    try (SampleBatch batch = read.join()) {
      loader.assertRight(batch);
    }
  }

  // Reading ahead.

  @Test
  void stream_batches_comeInOrderAndAhead() throws Exception {
    CachedSamples samples = open(node());
    Samples loader = Samples.equal();
    List<long[]> plan = plan(20);
    int seen = 0;
    try (BatchStream stream = samples.stream(plan.iterator(), ReadShape.COLLATED, loader, 3)) {
      while (stream.hasNext()) {
        try (SampleBatch batch = stream.next()) {
          loader.assertRight(batch);
          assertThat(batch.index(0)).isEqualTo(plan.get(seen)[0]);
          int ahead = Math.min(plan.size(), seen + 4) * 10;
          await().until(() -> loader.loads() == ahead);
        }
        seen++;
      }
      assertThat(catchThrowable(stream::next)).isInstanceOf(NoSuchElementException.class);
    }
    assertThat(seen).isEqualTo(20);
  }

  /** One batch is read ahead however little it may take, and more as far as bytes and depth go. */
  @ParameterizedTest
  @CsvSource({"1, 1", "1073741824, 3"})
  void stream_ofSoManyBytes_readsAsFarAheadAsTheyGo(long maxBytes, int batchesAhead)
      throws Exception {
    CachedSamples samples = open(node());
    Samples loader = Samples.equal();
    List<long[]> plan = plan(20);
    int seen = 0;
    try (BatchStream stream =
        samples.stream(plan.iterator(), ReadShape.COLLATED, loader, 3, maxBytes)) {
      while (stream.hasNext()) {
        try (SampleBatch batch = stream.next()) {
          assertThat(batch.index(0)).isEqualTo(plan.get(seen)[0]);
          seen++;
          int ahead = Math.min(plan.size(), seen + batchesAhead) * 10;
          await().until(() -> loader.loads() == ahead);
        }
      }
    }
    assertThat(seen).isEqualTo(20);
    assertThatThrownBy(() -> samples.stream(plan.iterator(), ReadShape.COLLATED, loader, 3, 0))
        .hasMessage("maxBytes=0, allowed: 1 or more");
  }

  @Test
  void stream_planInOneArrayUsedAgain_isReadAsItWasGiven() throws Exception {
    CachedSamples samples = open(node());
    Samples loader = Samples.equal();
    long[] one = new long[2];
    Iterator<long[]> plan =
        IntStream.range(0, 20)
            .mapToObj(
                step -> {
                  Arrays.fill(one, step);
                  return one;
                })
            .iterator();
    try (BatchStream stream = samples.stream(plan, ReadShape.COLLATED, loader, 5)) {
      for (int step = 0; step < 20; step++) {
        try (SampleBatch batch = stream.next()) {
          assertThat(batch.index(1)).isEqualTo(step);
        }
      }
    }
  }

  @Test
  void stream_readFails_throwsAtItsTurnAndGoesOn() throws Exception {
    CachedSamples samples = open(node());
    Samples loader = Samples.equal();
    SampleLoader failing =
        index -> {
          if (index == 15) {
            throw new IOException("broken");
          }
          return loader.load(index);
        };
    try (BatchStream stream = samples.stream(plan(3).iterator(), ReadShape.COLLATED, failing, 2)) {
      stream.next().close();
      assertThatThrownBy(stream::next)
          .isInstanceOf(SampleLoadException.class)
          .hasMessageContaining("index=15");
      stream.next().close();
      assertThat(stream.hasNext()).isFalse();
    }
  }

  @Test
  void stream_planFails_throwsAfterTheBatchesItGave() throws Exception {
    CachedSamples samples = open(node());
    Samples loader = Samples.equal();
    Iterator<long[]> given = plan(2).iterator();
    Iterator<long[]> failing =
        new Iterator<>() {
          @Override
          public boolean hasNext() {
            return true;
          }

          @Override
          public long[] next() {
            if (!given.hasNext()) {
              throw new IllegalStateException("no third batch");
            }
            return given.next();
          }
        };
    try (BatchStream stream = samples.stream(failing, ReadShape.COLLATED, loader, 2)) {
      for (int i = 0; i < 2; i++) {
        assertThat(stream.hasNext()).isTrue();
        try (SampleBatch batch = stream.next()) {
          assertThat(batch.index(0)).isEqualTo(i * 10L);
          loader.assertRight(batch);
        }
      }
      assertThat(stream.hasNext()).isTrue();
      assertThatThrownBy(stream::next).hasMessage("no third batch");
    }
  }

  @Test
  void stream_closedEarly_freesEverySlotAndLease() throws Exception {
    FakeNode node = node();
    CachedSamples samples = open(node, config().loaderThreads(1).build());
    Samples loader = Samples.equal();
    CountDownLatch started = new CountDownLatch(15);
    CountDownLatch goOn = new CountDownLatch(1);
    SampleLoader stalling =
        index -> {
          started.countDown();
          if (started.getCount() == 0) {
            goOn.await();
          }
          return loader.load(index);
        };
    BatchStream stream = samples.stream(plan(8).iterator(), ReadShape.COLLATED, stalling, 1);
    stream.next().close();
    join(started);
    stream.close();
    goOn.countDown();

    await().untilAsserted(() -> assertThat(node.leasedIndices()).isEmpty());
    assertThat(loader.loads()).isEqualTo(15);
    assertThatThrownBy(stream::next).hasMessage("the stream is closed");
    for (int round = 0; round < 2; round++) {
      List<SampleBatch> held = new ArrayList<>();
      for (int i = 0; i < 4; i++) {
        held.add(samples.read(new long[] {1, 2}, ReadShape.COLLATED, loader));
      }
      held.forEach(SampleBatch::close);
    }
    assertThat(samples.stats().inlineBatches()).isZero();
  }

  @Test
  void stream_depth_bringsItsOwnSlots() throws Exception {
    FakeNode node = node();
    CachedSamples samples = open(node, config().slots(1).build());
    Samples loader = Samples.equal();
    samples.read(new long[] {0, 1, 2, 3, 4, 5, 6, 7, 8, 9}, ReadShape.COLLATED, loader).close();
    try (BatchStream stream = samples.stream(plan(10).iterator(), ReadShape.COLLATED, loader, 4)) {
      while (stream.hasNext()) {
        stream.next().close();
      }
    }
    assertThat(node.received(Segment.class)).last().extracting(Segment::slots).isEqualTo(7);
    assertThat(samples.stats().inlineBatches()).isZero();
  }

  // What a person can get wrong.

  @Test
  void spec_incompleteOrTwice_saysWhich() {
    assertThatThrownBy(() -> DatasetSpec.builder("d").pipeline("p").build())
        .hasMessage("data set 'd': set sourceLength(…)");
    assertThatThrownBy(() -> DatasetSpec.builder("d").sourceLength(1).build())
        .hasMessage("data set 'd': set pipeline(…)");
    assertThatThrownBy(() -> DatasetSpec.builder("d").pipeline("p").pipeline("q"))
        .hasMessage("pipeline is set twice: p and q");
    assertThatThrownBy(() -> DatasetSpec.builder(""))
        .hasMessage("name='' has 0 bytes of UTF-8, allowed: 1 to 255");
    assertThatThrownBy(() -> DatasetSpec.builder("d").sourceLength(-1))
        .hasMessage("sourceLength=-1, allowed: 0 or more");
  }

  @Test
  void config_outOfRangeOrTwice_saysWhatIsAllowed() {
    assertThatThrownBy(() -> TrainingCache.Config.builder().loaderThreads(0))
        .hasMessage("loaderThreads=0, allowed: 1–1024");
    assertThatThrownBy(() -> TrainingCache.Config.builder().slots(1).slots(2))
        .hasMessage("slots is set twice: 1 and 2");
    assertThatThrownBy(() -> TrainingCache.Config.builder().leaseWait(Duration.ZERO))
        .hasMessage("leaseWait=PT0S, allowed: 1 ms–1 h");
    assertThatThrownBy(
            () ->
                TrainingCache.connect(
                    TrainingCache.Config.builder().address("localhost:1").build()))
        .hasMessage(
            "address 'localhost:1' (from the address given): expected unix:PATH or tcp://HOST:PORT");
  }

  @Test
  void nodeStatus_isWhatTheNodeSays() throws Exception {
    FakeNode node = node();
    TrainingCache cache = connect(config().build());
    assertThat(cache.nodeStatus()).isEqualTo("{}");
    node.close();
    assertThatThrownBy(cache::nodeStatus).isInstanceOf(CacheException.class);
  }

  // What the node is told.

  @Test
  void close_tellsTheNodeHowTrainingFared() throws Exception {
    FakeNode node = node();
    CachedSamples samples = open(node);
    Samples loader = Samples.fitting(ReadShape.COLLATED);
    List<long[]> batches = List.of(new long[] {1, 2}, new long[] {3}, new long[] {1, 2, 3});

    try (BatchStream stream = samples.stream(batches.iterator(), ReadShape.COLLATED, loader, 2)) {
      while (stream.hasNext()) {
        stream.next().close();
      }
    }
    assertThat(node.received(ReportMessage.class)).isEmpty();
    samples.close();
    samples.close();

    List<ReportMessage> told = node.received(ReportMessage.class);
    assertThat(told).hasSize(1);
    ReportMessage report = told.get(0);
    assertThat(report.inWorker()).isFalse();
    assertThat(report.loads()).isEqualTo(3);
    assertThat(report.loadNanos()).isPositive();
    assertThat(report.waitedNanos()).isBetween(1L, report.activeNanos());
  }

  @Test
  void reads_ofAnotherThreadThanOpened_areAWorkers() throws Exception {
    FakeNode node = node();
    CachedSamples samples = open(node);
    Samples loader = Samples.fitting(ReadShape.RECORDS);
    Thread worker = new Thread(() -> samples.read(BATCH, ReadShape.RECORDS, loader).close());
    worker.start();
    worker.join();
    samples.read(BATCH, ReadShape.RECORDS, loader).close();
    samples.close();

    assertThat(node.received(ReportMessage.class))
        .extracting(ReportMessage::inWorker, ReportMessage::loads)
        .containsExactly(tuple(false, (long) BATCH.length), tuple(true, 0L));
  }

  @Test
  void nodeOfTheReleaseBefore_isToldNothing() throws Exception {
    HelloReply now = ScriptedServer.limits();
    FakeNode node =
        node(
            new HelloReply(
                1,
                now.sharedMemory(),
                now.maxFrameBytes(),
                now.maxRecordBytes(),
                now.maxRequestsInFlight(),
                now.answerTimeoutMillis(),
                now.leaseTimeoutMillis(),
                now.maxSegmentBytes(),
                now.hostId()));
    CachedSamples samples = open(node);
    samples.read(BATCH, ReadShape.RECORDS, Samples.fitting(ReadShape.RECORDS)).close();
    samples.close();

    assertThat(node.received(ReportMessage.class)).isEmpty();
  }

  private FakeNode node() throws IOException {
    return node(ScriptedServer.limits());
  }

  private FakeNode node(HelloReply limits) throws IOException {
    FakeNode node = FakeNode.start(directory, limits);
    opened.add(node);
    return node;
  }

  private CachedSamples open(FakeNode node) {
    return open(node, config().build());
  }

  private CachedSamples open(FakeNode node, TrainingCache.Config config) {
    assertThat(node.address().isLocal()).isTrue();
    return connect(config).open(spec());
  }

  private TrainingCache connect(TrainingCache.Config config) {
    TrainingCache cache = TrainingCache.connect(config);
    opened.add(cache);
    return cache;
  }

  private TrainingCache.Config.Builder config() {
    return TrainingCache.Config.builder().address("unix:" + FakeNode.socket(directory));
  }

  private static DatasetSpec spec() {
    return DatasetSpec.builder("digits").pipeline("p1").sourceLength(LENGTH).build();
  }

  private List<String> warnings() {
    return log.list.stream()
        .filter(event -> event.getLevel().isGreaterOrEqual(Level.WARN))
        .map(ILoggingEvent::getFormattedMessage)
        .toList();
  }

  private static List<long[]> plan(int batches) {
    return LongStream.range(0, batches)
        .mapToObj(b -> LongStream.range(b * 10, b * 10 + 10).toArray())
        .toList();
  }

  private static boolean fails(
      Peer peer,
      Request request,
      Class<? extends LaneMessage> kind,
      LaneException.Code code,
      String message)
      throws IOException {
    if (!kind.isInstance(request.message())) {
      return false;
    }
    peer.send(new Failure(code, code.retryable(), message), request.id());
    return true;
  }

  private static Table.RaggedField field(int rank, long offset, long[] offsets, long... shapes) {
    return new Table.RaggedField(rank, offset, offsets, shapes);
  }

  private static void join(CountDownLatch latch) {
    try {
      latch.await();
    } catch (InterruptedException e) {
      throw new IllegalStateException(e);
    }
  }
}
