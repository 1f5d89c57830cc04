package io.trainingday.node;

import static org.assertj.core.api.Assertions.assertThat;

import io.trainingday.client.CachedSamples;
import io.trainingday.client.ReadShape;
import io.trainingday.client.SampleBatch;
import io.trainingday.client.TrainingCache;
import io.trainingday.config.DataSize;
import io.trainingday.config.Portion;
import io.trainingday.config.SettingKey;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.LongAdder;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Readers that ask for the same batch together load it once, though nothing of it is kept. */
class RefusedFillsTest {
  private static final int SAMPLES = 800;
  private static final int READERS = 8;
  private static final int BATCH = 40;
  private static final int EPOCHS = 3;

  @ParameterizedTest
  @ValueSource(ints = {0, 1})
  void everythingRefused_8ReadersTogether_loadEachSampleOnceAnEpoch(
      int loadMillis, @TempDir Path directory) throws Exception {
    Pictures pictures = new Pictures(3_000);
    LongAdder loads = new LongAdder();
    List<Long> loadsByEpoch = new ArrayList<>();
    CyclicBarrier barrier = new CyclicBarrier(READERS);
    ExecutorService threads = Executors.newFixedThreadPool(READERS);
    try (CacheNode node =
        CacheNode.launch(
            TestNodes.settings(directory)
                .setDataset("nothing", SettingKey.DATASET_QUOTA, Portion.of(DataSize.ofBytes(0)))
                .build())) {
      List<Future<?>> readers = new ArrayList<>();
      for (int reader = 0; reader < READERS; reader++) {
        boolean first = reader == 0;
        readers.add(
            threads.submit(
                () -> {
                  try (TrainingCache cache =
                          TrainingCache.connect(
                              TrainingCache.Config.builder()
                                  .address("unix:" + node.socket())
                                  .build());
                      CachedSamples samples = cache.open(Pictures.spec("nothing", SAMPLES))) {
                    for (int epoch = 0; epoch < EPOCHS; epoch++) {
                      long[] order =
                          new SplittableRandom(epoch)
                              .longs(0, SAMPLES)
                              .distinct()
                              .limit(SAMPLES)
                              .toArray();
                      for (int at = 0; at < SAMPLES; at += BATCH) {
                        long[] indices = new long[BATCH];
                        System.arraycopy(order, at, indices, 0, BATCH);
                        barrier.await();
                        try (SampleBatch batch =
                            samples.read(
                                indices,
                                ReadShape.COLLATED,
                                index -> {
                                  loads.increment();
                                  if (loadMillis > 0) {
                                    Thread.sleep(loadMillis);
                                  }
                                  return pictures.load(index);
                                })) {
                          pictures.check(batch);
                        }
                      }
                      barrier.await();
                      if (first) {
                        loadsByEpoch.add(loads.sumThenReset());
                      }
                      barrier.await();
                    }
                  }
                  return null;
                }));
      }
      for (Future<?> reader : readers) {
        reader.get();
      }
      assertThat(node.stats().datasets().get(0).refusals())
          .containsEntry("quota", (long) EPOCHS * SAMPLES);
      assertThat(node.stats().datasets().get(0).entries()).isZero();
    } finally {
      threads.shutdownNow();
    }
    assertThat(loadsByEpoch).hasSize(EPOCHS).containsOnly((long) SAMPLES);
  }
}
