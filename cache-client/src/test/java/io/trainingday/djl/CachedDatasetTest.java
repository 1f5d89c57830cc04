package io.trainingday.djl;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.training.dataset.Batch;
import ai.djl.training.dataset.RandomAccessDataset;
import ai.djl.training.dataset.Record;
import ai.djl.translate.PaddingStackBatchifier;
import ai.djl.translate.Transform;
import ai.djl.translate.TranslateException;
import io.trainingday.client.SampleLoadException;
import io.trainingday.client.TrainingCache;
import io.trainingday.djl.CachedDataset.Cut;
import io.trainingday.djl.TestDatasets.Numbers;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Iterator;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Without a node: what a batch looks like does not depend on where its samples come from. */
final class CachedDatasetTest {
  private final TrainingCache cache;
  private final NDManager manager = NDManager.newBaseManager();
  private final ExecutorService executor = Executors.newFixedThreadPool(2);

  CachedDatasetTest(@TempDir Path folder) {
    cache =
        TrainingCache.connect(
            TrainingCache.Config.builder()
                .address("unix:" + folder.resolve("nobody.sock"))
                .poisonReleased(true)
                .build());
  }

  @AfterEach
  void close() {
    executor.shutdownNow();
    manager.close();
    cache.close();
  }

  @Test
  void getData_stackedSamples_areTheBatchesOfTheDataSetWithin() throws Exception {
    Numbers raw =
        Numbers.builder().addTransform(new Plus(1)).addTargetTransform(new Plus(100)).build();

    assertSameBatches(raw, cached(raw));
  }

  @Test
  void getData_otherBatchifier_isUsed() throws Exception {
    RandomAccessDataset raw =
        new Numbers(
            Numbers.builder()
                .optDataBatchifier(
                    PaddingStackBatchifier.builder()
                        .addPad(0, 0, m -> m.ones(new Shape(1)).mul(-1), 12)
                        .build())) {
          @Override
          public Record get(NDManager records, long index) {
            float[] values = new float[1 + (int) index];
            Arrays.fill(values, (float) index);
            return new Record(
                new NDList(records.create(values)), new NDList(records.create(index)));
          }
        };

    assertSameBatches(raw, cached(raw));
  }

  @Test
  void getData_partOfADataSet_isReadAsThatPart() throws Exception {
    Numbers raw = Numbers.builder().addTransform(new Plus(1)).build();

    assertSameBatches(raw.subDataset(3, 9), cached(raw.subDataset(3, 9)));
    assertSameBatches(raw.subDataset(3, 9), cached(raw).subDataset(3, 9));
  }

  @Test
  void getData_everyDtypeAndNamedOrTransposedArrays_passUnchanged() throws Exception {
    RandomAccessDataset raw =
        new Numbers(Numbers.builder()) {
          @Override
          public Record get(NDManager records, long index) {
            NDArray numbers = records.arange(6f).add(index).reshape(2, 3);
            NDArray named = numbers.transpose();
            named.setName("transposed");
            return new Record(
                new NDList(
                    named,
                    numbers.toType(DataType.FLOAT64, false),
                    numbers.toType(DataType.FLOAT16, false),
                    numbers.toType(DataType.UINT8, false),
                    numbers.toType(DataType.INT8, false)),
                new NDList(
                    numbers.toType(DataType.INT32, false),
                    numbers.toType(DataType.INT64, false),
                    numbers.gt(index)));
          }
        };

    assertSameBatches(raw, cached(raw));
  }

  @Test
  void getData_arraysWithoutElements_passUnchanged() throws Exception {
    RandomAccessDataset raw =
        new Numbers(Numbers.builder()) {
          @Override
          public Record get(NDManager records, long index) {
            return new Record(
                new NDList(records.zeros(new Shape(0, 3)), records.create(index)),
                new NDList(records.create(new boolean[0])));
          }
        };

    assertSameBatches(raw, cached(raw));
  }

  @Test
  void getData_noLabels_givesNone() throws Exception {
    RandomAccessDataset raw =
        new Numbers(Numbers.builder()) {
          @Override
          public Record get(NDManager records, long index) {
            return new Record(new NDList(records.create(index)), new NDList());
          }
        };

    assertSameBatches(raw, cached(raw));
  }

  @Test
  void batch_closed_givesItsMemoryBackAndNotBefore() throws Exception {
    List<NDArray> kept = new ArrayList<>();
    List<Batch> open = new ArrayList<>();
    for (Batch batch : cached(Numbers.builder().size(12).build()).getData(manager)) {
      open.add(batch);
      NDArray data = batch.getData().head();
      data.detach();
      kept.add(data);
    }

    open.get(0).close();

    assertThat(kept.get(0).toByteArray()).containsOnly(0xDB);
    assertThat(kept.get(1).getFloat(0, 0, 0)).isEqualTo(40f);
    assertThat(kept.get(2).getFloat(0, 0, 0)).isEqualTo(80f);
    open.subList(1, 3).forEach(Batch::close);
    assertThat(kept.get(2).toByteArray()).containsOnly(0xDB);
    kept.forEach(NDArray::close);
  }

  @Test
  void get_record_isTransformedAndOwnsItsMemory() throws Exception {
    CachedDataset dataset = cached(Numbers.builder().addTransform(new Plus(1)).build());

    Record record = dataset.get(manager, 7);
    dataset.get(manager, 3);

    assertThat(record.getData().head().toFloatArray()).containsExactly(71, 72, 73, 74, 75, 76);
    assertThat(record.getLabels().head().getLong()).isEqualTo(7);
    assertThat(dataset.size()).isEqualTo(10);
  }

  @Test
  void getData_leftEarly_endsWithTheManager() throws Exception {
    NDManager pass = manager.newSubManager();
    CachedDataset dataset = cached(Numbers.builder().size(1_000).build());
    try (Batch first = dataset.getData(pass).iterator().next()) {
      assertThat(first.getSize()).isEqualTo(4);
      assertThat(readAheadThreads()).isPositive();
    }

    pass.close();

    Awaitility.await().until(() -> readAheadThreads() == 0);
  }

  @Test
  void getData_leftEarlyAgainAndAgain_endsThoughTheManagerLivesOn() throws Exception {
    CachedDataset dataset = cached(Numbers.builder().size(1_000).build());
    for (int pass = 0; pass < 3; pass++) {
      try (Batch first = dataset.getData(manager).iterator().next()) {
        assertThat(first.getSize()).isEqualTo(4);
        assertThat(readAheadThreads()).isPositive();
      }
    }

    Awaitility.await()
        .until(
            () -> {
              System.gc();
              return readAheadThreads() == 0;
            });
  }

  @Test
  void getData_readFails_endsThePass() throws Exception {
    RandomAccessDataset raw =
        new Numbers(Numbers.builder().size(1_000)) {
          @Override
          public Record get(NDManager records, long index) throws IOException {
            throw new IOException("file gone");
          }
        };
    Iterator<Batch> pass = cached(raw).getData(manager).iterator();

    assertThatThrownBy(pass::next).isInstanceOf(SampleLoadException.class);

    Awaitility.await().until(() -> readAheadThreads() == 0);
    assertThat(pass.hasNext()).isFalse();
  }

  @ParameterizedTest
  @ValueSource(booleans = {true, false})
  void getData_cutBeforeRandom_runsTheRestAfterEveryRead(boolean threads) throws Exception {
    RandomAdd random = new RandomAdd();
    Plus before = new Plus(1);
    Plus after = new Plus(1_000);
    Numbers raw =
        Numbers.builder().addTransform(before).addTransform(random).addTransform(after).build();
    CachedDataset dataset = builder(raw).optCut(Cut.BEFORE_RANDOM).build();

    for (int pass = 0; pass < 2; pass++) {
      List<Long> indices = new ArrayList<>();
      for (Batch batch : dataset.getData(manager, threads ? executor : null)) {
        for (int i = 0; i < batch.getSize(); i++) {
          long index = batch.getLabels().head().getLong(i);
          float value = batch.getData().head().getFloat(i, 0, 0);
          assertThat(value - 10 * index - 1_001).isBetween(1f, 20f);
          indices.add(index);
        }
        batch.close();
      }
      assertThat(indices).containsExactly(0L, 1L, 2L, 3L, 4L, 5L, 6L, 7L, 8L, 9L);
    }
    assertThat(random.calls).as("each sample in each pass").isEqualTo(20);
  }

  @Test
  void build_randomTransform_isRefusedUnlessSaidWhatIsMeant() throws Exception {
    Numbers raw = Numbers.builder().addTransform(new Plus(1)).addTransform(new RandomAdd()).build();

    assertThatThrownBy(() -> builder(raw).build())
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage(
            "data set 'numbers': transform 2 of 2 is random"
                + " (io.trainingday.djl.CachedDatasetTest$RandomAdd), a cache would give out its"
                + " first result forever; call optCut(Cut.BEFORE_RANDOM) to run it after every"
                + " read, or optFrozen(true) if that is meant");
    CachedDataset frozen = builder(raw).optFrozen(true).build();
    assertThat(frozen.get(manager, 1).getData().head().getFloat(0, 0)).isEqualTo(12f);
  }

  @Test
  void getData_loaderThatThrows_namesTheSample() throws Exception {
    RandomAccessDataset raw =
        new Numbers(Numbers.builder()) {
          @Override
          public Record get(NDManager records, long index) throws IOException {
            if (index == 6) {
              throw new IOException("file gone");
            }
            return super.get(records, index);
          }
        };

    assertThatThrownBy(() -> read(cached(raw)))
        .isInstanceOf(SampleLoadException.class)
        .hasMessage(
            "sample index=6 of data set 'numbers' could not be loaded: java.io.IOException: file"
                + " gone")
        .hasCauseInstanceOf(IOException.class);
  }

  @Test
  void build_wrongUse_isRefusedInWords() throws Exception {
    Numbers raw = Numbers.builder().build();
    CachedDataset.Builder builder = builder(raw);
    assertThatThrownBy(() -> builder.setName("other"))
        .hasMessage("name is set twice: numbers and other");
    assertThatThrownBy(() -> builder.optPrefetch(0))
        .hasMessage("prefetch=0 batches, allowed: 1 to 1000");
    assertThatThrownBy(() -> builder.optPipelineTag(" "))
        .hasMessage("pipelineTag=' ' is blank, name a version");
    assertThatThrownBy(() -> builder.optCut(Cut.BEFORE_RANDOM).optFrozen(true))
        .hasMessage(
            "cut and frozen=true exclude each other: random transforms run after every read, or"
                + " not");
    assertThatThrownBy(() -> CachedDataset.builder().setDataset(raw).setName("n").build())
        .hasMessage("call setCache(…) before build()");
    CachedDataset cached = cached(raw);
    assertThatThrownBy(() -> CachedDataset.builder().setDataset(cached))
        .hasMessage("dataset is a CachedDataset already, give what it wraps");
  }

  private CachedDataset.Builder builder(RandomAccessDataset raw) {
    return CachedDataset.builder().setDataset(raw).setName("numbers").setCache(cache);
  }

  private CachedDataset cached(RandomAccessDataset raw) throws IOException, TranslateException {
    return builder(raw).optPipelineTag("test").build();
  }

  private void assertSameBatches(RandomAccessDataset raw, RandomAccessDataset cached)
      throws IOException, TranslateException {
    List<String> expected = new ArrayList<>();
    for (Batch batch : raw.getData(manager)) {
      expected.add(describe(batch));
      batch.close();
    }
    List<String> actual = new ArrayList<>();
    for (Batch batch : cached.getData(manager)) {
      actual.add(describe(batch));
      batch.close();
    }
    assertThat(actual).isEqualTo(expected).hasSizeGreaterThan(1);
  }

  private void read(RandomAccessDataset dataset) throws IOException, TranslateException {
    for (Batch batch : dataset.getData(manager)) {
      batch.close();
    }
  }

  private static String describe(Batch batch) {
    StringBuilder text =
        new StringBuilder(
            "%d of %d, indices %s"
                .formatted(batch.getProgress(), batch.getProgressTotal(), batch.getIndices()));
    for (NDList arrays : List.of(batch.getData(), batch.getLabels())) {
      for (NDArray array : arrays) {
        text.append(
            "\n%s %s %s %s"
                .formatted(
                    array.getName(),
                    array.getDataType(),
                    array.getShape(),
                    Arrays.toString(array.toByteArray())));
      }
    }
    return text.toString();
  }

  private static long readAheadThreads() {
    return Thread.getAllStackTraces().keySet().stream()
        .filter(thread -> thread.getName().startsWith("training-day-read-ahead"))
        .count();
  }

  /** Adds a number. */
  private static final class Plus implements Transform {
    private final int summand;

    Plus(int summand) {
      this.summand = summand;
    }

    @Override
    public NDArray transform(NDArray array) {
      return array.add(summand);
    }
  }

  /** Adds 1, then 2, and so on. */
  private static final class RandomAdd implements Transform {
    private int calls;

    @Override
    public synchronized NDArray transform(NDArray array) {
      calls++;
      return array.add(calls);
    }
  }
}
