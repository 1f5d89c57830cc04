package io.trainingday.node;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import io.trainingday.client.BatchStream;
import io.trainingday.client.CacheException;
import io.trainingday.client.CachedSamples;
import io.trainingday.client.DatasetSpec;
import io.trainingday.client.ReadShape;
import io.trainingday.client.SampleBatch;
import io.trainingday.client.SampleLoadException;
import io.trainingday.client.SampleLoader;
import io.trainingday.client.TrainingCache;
import io.trainingday.record.DType;
import io.trainingday.record.SampleRecord;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Iterator;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.IntStream;
import java.util.stream.LongStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Reading through a real node: every shape gives the samples that were loaded, whatever fails. */
class ReadThroughIT {
  private static final int SAMPLES = 300;
  private static final int BATCH = 32;

  private final Path directory;
  private final AtomicInteger loads = new AtomicInteger();
  private CacheNode node;
  private TrainingCache cache;

  ReadThroughIT(@TempDir Path directory) {
    this.directory = directory;
  }

  @BeforeEach
  void launch() {
    node = CacheNode.launch(TestNodes.settings(directory).build());
    cache =
        TrainingCache.connect(
            TrainingCache.Config.builder()
                .address("unix:" + node.socket())
                .poisonReleased(true)
                .build());
  }

  @AfterEach
  void stop() {
    cache.close();
    node.close();
  }

  @ParameterizedTest
  @EnumSource
  void read_coldMixedAndWarm_givesWhatWasLoaded(ReadShape shape) {
    boolean equal = shape == ReadShape.COLLATED;
    try (CachedSamples samples = cache.open(spec())) {
      // A third of them, then batches with holes, then batches without.
      for (int start = 0; start < SAMPLES; start += 3 * BATCH) {
        check(samples.read(indices(start, BATCH), shape, loader(equal)), equal);
      }
      for (int pass = 0; pass < 3; pass++) {
        for (int start = 0; start < SAMPLES; start += BATCH / 2) {
          int count = Math.min(BATCH, SAMPLES - start);
          check(samples.read(indices(start, count), shape, loader(equal)), equal);
        }
      }

      assertThat(loads).hasValue(SAMPLES);
      assertThat(samples.stats().slotBatches()).isGreaterThan(2 * SAMPLES / BATCH);
    }
    assertThat(node.stats().fills().leases()).isZero();
  }

  @ParameterizedTest
  @EnumSource
  void stream_everyShape_givesWhatWasLoaded(ReadShape shape) {
    boolean equal = shape == ReadShape.COLLATED;
    try (CachedSamples samples = cache.open(spec())) {
      for (int pass = 0; pass < 3; pass++) {
        Iterator<long[]> plan =
            IntStream.range(0, SAMPLES / BATCH)
                .mapToObj(step -> indices(step * BATCH, BATCH))
                .iterator();
        try (BatchStream stream = samples.stream(plan, shape, loader(equal), 3)) {
          while (stream.hasNext()) {
            check(stream.next(), equal);
          }
        }
      }
      assertThat(loads).hasValue(SAMPLES / BATCH * BATCH);
    }
  }

  @Test
  void loaderThatThrows_namesItsSample_theRestIsKeptAndNoLeaseIsLeft() {
    try (CachedSamples samples = cache.open(spec())) {
      SampleLoader failing =
          index -> {
            if (index == 7) {
              throw new IOException("disk on fire");
            }
            return loader(true).load(index);
          };
      assertThatThrownBy(() -> samples.read(indices(0, BATCH), ReadShape.COLLATED, failing))
          .isInstanceOf(SampleLoadException.class)
          .hasMessage(
              "sample index=7 of data set 'mixed' could not be loaded: java.io.IOException: disk on"
                  + " fire");
      await()
          .atMost(Duration.ofSeconds(15))
          .untilAsserted(() -> assertThat(node.stats().fills().leases()).isZero());
      loads.set(0);

      check(samples.read(indices(0, BATCH), ReadShape.COLLATED, loader(true)), true);

      assertThat(loads).hasValue(1);
    }
  }

  @Test
  void schemaThatChanges_isRefusedWithWhatToChange_andTheRestIsKept() {
    try (CachedSamples samples = cache.open(spec())) {
      check(samples.read(indices(0, 1), ReadShape.RECORDS, loader(true)), true);
      SampleLoader changing =
          index ->
              index == 7
                  ? SampleRecord.builder()
                      .tensor("pixels", DType.I8, new long[] {1}, ByteBuffer.allocate(1))
                      .build()
                  : loader(true).load(index);

      assertThatThrownBy(() -> samples.read(indices(0, BATCH), ReadShape.RECORDS, changing))
          .isInstanceOf(CacheException.class)
          .hasMessage(
              "sample index=7 of data set 'mixed' (300 samples): a record of data set"
                  + " \"default/mixed\" does not fit its pipeline: field \"pixels\" is i8, 1 dimensions, not u8, 2"
                  + " dimensions, field \"text\" (utf8, 1 dimensions) is missing; a preprocessing"
                  + " that makes other fields needs another pipeline fingerprint");

      await()
          .atMost(Duration.ofSeconds(15))
          .untilAsserted(() -> assertThat(node.stats().fills().leases()).isZero());
      loads.set(0);
      check(samples.read(indices(0, BATCH), ReadShape.RECORDS, loader(true)), true);
      assertThat(loads).hasValue(1);
    }
  }

  @Test
  void recordOverTheLimit_isGivenToTheReaderAndNotKept() {
    ByteBuffer large = ByteBuffer.allocateDirect(9 << 20);
    SampleRecord record =
        SampleRecord.builder().tensor("x", DType.U8, new long[] {9 << 20}, large).build();
    try (CachedSamples samples =
        cache.open(DatasetSpec.builder("large").pipeline("p").sourceLength(10).build())) {
      for (int round = 0; round < 2; round++) {
        try (SampleBatch batch =
            samples.read(new long[] {3}, ReadShape.COLLATED, index -> record)) {
          assertThat(batch.field("x").data()).isEqualTo(large);
          assertThat(batch.originLoads()).isEqualTo(1);
        }
      }
    }
    assertThat(node.stats().fills().leases()).isZero();
  }

  @Test
  void nodeThatStopsAndComesBack_trainingGoesOn() throws Exception {
    try (CachedSamples samples = cache.open(spec())) {
      check(samples.read(indices(0, BATCH), ReadShape.RAGGED, loader(false)), false);
      node.close();
      for (int i = 0; i < 3; i++) {
        check(samples.read(indices(0, BATCH), ReadShape.RAGGED, loader(false)), false);
      }
      assertThat(loads).hasValue(4 * BATCH);

      node = CacheNode.launch(TestNodes.settings(directory).build());
      await().until(cache::isAttached);
      for (int i = 0; i < 3; i++) {
        check(samples.read(indices(0, BATCH), ReadShape.RAGGED, loader(false)), false);
      }
      assertThat(loads).as("once more: what was in memory is gone").hasValue(5 * BATCH);
    }
  }

  private static DatasetSpec spec() {
    return DatasetSpec.builder("mixed").pipeline("p").sourceLength(SAMPLES).build();
  }

  /** In no order, so that neighbours in the batch are none in the data set. */
  private static long[] indices(int start, int count) {
    return LongStream.range(start, start + count).map(i -> i * 7 % SAMPLES).toArray();
  }

  private SampleLoader loader(boolean equal) {
    return index -> {
      loads.incrementAndGet();
      return record(index, equal);
    };
  }

  /** Some samples of varying shape have no pixels at all, some no text. */
  private static SampleRecord record(long index, boolean equal) {
    int rows = equal ? 5 : (int) (index % 40);
    byte[] pixels = new byte[rows * 700];
    for (int i = 0; i < pixels.length; i++) {
      pixels[i] = (byte) (index * 31 + i * 7L + (i >>> 8));
    }
    return SampleRecord.builder()
        .tensor("pixels", DType.U8, new long[] {rows, 700L}, ByteBuffer.wrap(pixels))
        .utf8("text", equal ? "%05d".formatted(index) : "é".repeat((int) (index % 9)))
        .attribute("index", index)
        .build();
  }

  /** Compares a batch with what was loaded, spoils it, and closes it. */
  private static void check(SampleBatch batch, boolean equal) {
    for (int i = 0; i < batch.size(); i++) {
      SampleRecord right = record(batch.index(i), equal);
      if (batch.shape() == ReadShape.RECORDS) {
        SampleRecord record = batch.record(i);
        assertThat(record.attributes()).isEqualTo(right.attributes());
        assertThat(record.utf8("text")).isEqualTo(right.utf8("text"));
      }
      for (SampleRecord.Field field : right.fields()) {
        boolean single = batch.shape() == ReadShape.RECORDS;
        long[] shape =
            single
                ? batch.record(i).field(field.name()).shape()
                : batch.field(field.name()).shape(i);
        ByteBuffer data =
            single ? batch.record(i).field(field.name()).data() : batch.field(field.name()).data(i);
        assertThat(shape).isEqualTo(field.shape());
        assertThat(data).as("%s of %d", field.name(), batch.index(i)).isEqualTo(field.data());
      }
    }
    if (batch.shape() != ReadShape.RECORDS) {
      byte[] spoilt = "spoilt by its user".getBytes(UTF_8);
      for (SampleBatch.Field field : batch.fields()) {
        ByteBuffer data = field.data();
        data.put(spoilt, 0, Math.min(spoilt.length, data.remaining()));
      }
    }
    batch.close();
  }
}
