package io.trainingday.demo;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.Device;
import ai.djl.ndarray.NDManager;
import ai.djl.training.dataset.ArrayDataset;
import ai.djl.training.dataset.Batch;
import ai.djl.training.dataset.RandomAccessDataset;
import ai.djl.translate.TranslateException;
import io.trainingday.client.CacheStats;
import io.trainingday.client.TrainingCache;
import io.trainingday.client.WarmUp;
import io.trainingday.djl.CachedDataset;
import io.trainingday.djl.RandomTransform;
import io.trainingday.node.CacheNode;
import io.trainingday.node.TestNodes;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A DJL data set over a real node and shared memory, with released memory overwritten. */
final class CachedDatasetIT {
  private static final int SAMPLES = 200;
  private static final int BATCH = 32;

  private final Path folder;

  CachedDatasetIT(@TempDir Path folder) {
    this.folder = folder;
  }

  @Test
  void getData_batchesChangedInPlace_neverReachTheCache() throws Exception {
    DigitsDataset raw = new DigitsDataset(Digits.read(), IntStream.range(0, SAMPLES).toArray());
    try (CacheNode node = CacheNode.launch(TestNodes.settings(folder).build());
        TrainingCache cache = connect(node);
        CachedDataset cached =
            CachedDataset.builder()
                .setDataset(raw)
                .setName("digits")
                .setCache(cache)
                .optPipelineTag("v1")
                .build();
        NDManager manager = PyTorch.engine().newBaseManager(Device.cpu())) {
      List<String> expected = contents(raw, manager);
      long loadsBefore = raw.loads();

      for (int pass = 1; pass <= 4; pass++) {
        assertThat(contents(cached, manager)).as("pass " + pass).isEqualTo(expected);
      }

      assertThat(raw.loads() - loadsBefore).isEqualTo(SAMPLES);
      CacheStats stats = cached.stats();
      assertThat(stats.misses()).isEqualTo(SAMPLES);
      assertThat(stats.hits()).isEqualTo(3 * SAMPLES);
      assertThat(stats.inlineBatches()).as("batches without shared memory").isLessThan(10);
      assertThat(stats.slotBatches()).isGreaterThan(3 * SAMPLES / BATCH - 10);
    }
  }

  @Test
  void warm_thenTraining_loadsNothingMore() throws Exception {
    DigitsDataset raw = new DigitsDataset(Digits.read(), IntStream.range(0, SAMPLES).toArray());
    try (CacheNode node = CacheNode.launch(TestNodes.settings(folder).build());
        TrainingCache cache = connect(node);
        CachedDataset cached =
            CachedDataset.builder()
                .setDataset(raw)
                .setName("digits")
                .setCache(cache)
                .optPipelineTag("v1")
                .build();
        NDManager manager = PyTorch.engine().newBaseManager(Device.cpu())) {
      List<String> expected = contents(raw, manager);
      long loadsBefore = raw.loads();

      try (WarmUp warmUp = cached.warm(manager, WarmUp.Options.builder().build())) {
        assertThat(warmUp.await(Duration.ofSeconds(60))).isTrue();
        assertThat(warmUp.progress().loaded()).isEqualTo(SAMPLES);
      }

      assertThat(contents(cached, manager)).isEqualTo(expected);
      assertThat(raw.loads() - loadsBefore).isEqualTo(SAMPLES);
      assertThat(cached.stats().misses()).isZero();
    }
  }

  @Test
  void getData_transformsLeftAfterTheCut_runOnWhatWasStored() throws Exception {
    try (CacheNode node = CacheNode.launch(TestNodes.settings(folder).build());
        TrainingCache cache = connect(node);
        NDManager manager = PyTorch.engine().newBaseManager(Device.cpu())) {
      AtomicInteger stored = new AtomicInteger();
      AtomicInteger afterwards = new AtomicInteger();
      RandomTransform random =
          array -> {
            afterwards.incrementAndGet();
            return array.mul(2);
          };
      ArrayDataset raw =
          new ArrayDataset.Builder()
              .setData(manager.arange(SAMPLES * 5f).reshape(SAMPLES, 5))
              .optLabels(manager.arange(SAMPLES))
              .setSampling(BATCH, false)
              .addTransform(
                  array -> {
                    stored.incrementAndGet();
                    return array.add(1);
                  })
              .addTransform(random)
              .build();
      try (CachedDataset cached =
          CachedDataset.builder()
              .setDataset(raw)
              .setName("numbers")
              .setCache(cache)
              .optPipelineTag("v1")
              .optCut(CachedDataset.Cut.BEFORE_RANDOM)
              .build()) {
        for (int pass = 1; pass <= 3; pass++) {
          for (Batch batch : cached.getData(manager, new EpochOrder(1, pass, BATCH))) {
            for (int i = 0; i < batch.getSize(); i++) {
              int index = batch.getLabels().head().getInt(i);
              assertThat(batch.getData().head().get(i).toFloatArray())
                  .containsExactly(
                      10 * index + 2,
                      10 * index + 4,
                      10 * index + 6,
                      10 * index + 8,
                      10 * index + 10);
            }
            batch.getData().head().muli(0);
            batch.close();
          }
          assertThat(stored).as("pass " + pass).hasValue(SAMPLES);
          assertThat(afterwards).as("pass " + pass).hasValue(pass * SAMPLES);
        }
        assertThat(cached.stats().slotBatches()).isPositive();
      }
    }
  }

  private static TrainingCache connect(CacheNode node) {
    return TrainingCache.connect(
        TrainingCache.Config.builder()
            .address("unix:" + node.socket())
            .poisonReleased(true)
            .build());
  }

  /** Reads everything and spoils each batch after looking at it. */
  private static List<String> contents(RandomAccessDataset dataset, NDManager manager)
      throws IOException, TranslateException {
    List<String> contents = new ArrayList<>();
    for (Batch batch : dataset.getData(manager, new EpochOrder(1, 1, BATCH))) {
      byte[] data = batch.getData().singletonOrThrow().toByteArray();
      byte[] labels = batch.getLabels().singletonOrThrow().toByteArray();
      contents.add(Arrays.hashCode(data) + " " + Arrays.toString(labels));
      batch.getData().singletonOrThrow().muli(0).addi(7);
      batch.getLabels().singletonOrThrow().muli(0);
      batch.close();
    }
    return contents;
  }
}
