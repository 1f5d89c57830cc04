package io.trainingday.node;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.trainingday.client.CachedSamples;
import io.trainingday.client.ReadShape;
import io.trainingday.client.SampleBatch;
import io.trainingday.client.SampleLoader;
import io.trainingday.client.TrainingCache;
import io.trainingday.client.WarmProgress;
import io.trainingday.client.WarmProgress.State;
import io.trainingday.client.WarmUp;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Queue;
import java.util.Random;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;

/** Warm-ups against real nodes. */
@ExtendWith(LocalGridLogs.class)
class WarmUpIT {
  private static final int SAMPLES = 600;
  private static final int BATCH = 20;

  private final Path directory;
  private final Pictures pictures = new Pictures(3_000);
  private final Queue<Long> loads = new ConcurrentLinkedQueue<>();

  WarmUpIT(@TempDir Path directory) {
    this.directory = directory;
  }

  @Test
  void epochAfterWarmUp_loadsNothing() throws Exception {
    try (CacheNode node = CacheNode.launch(TestNodes.settings(directory).build());
        TrainingCache cache = connect(node);
        CachedSamples samples = cache.open(Pictures.spec("warm", SAMPLES))) {
      WarmProgress end = end(samples.warm(loader()));

      assertThat(end.state()).isEqualTo(State.COMPLETE);
      assertThat(end.loaded()).isEqualTo(SAMPLES);
      assertThat(loads).hasSize(SAMPLES).doesNotHaveDuplicates();
      assertThat(epoch(samples, 1)).isZero();
      assertThat(node.stats().fills().leases()).isZero();
    }
  }

  @Test
  void trainingMeanwhile_everySampleIsLoadedOnceInAll() throws Exception {
    try (CacheNode node = CacheNode.launch(TestNodes.settings(directory).build());
        TrainingCache cache = connect(node);
        CachedSamples samples = cache.open(Pictures.spec("both", SAMPLES));
        WarmUp warmUp = samples.warm(loader())) {
      long loadedByTraining = epoch(samples, 2);

      WarmProgress end = end(warmUp);
      assertThat(end.state()).isEqualTo(State.COMPLETE);
      assertThat(loads).hasSize(SAMPLES).doesNotHaveDuplicates();
      assertThat(end.loaded() + loadedByTraining).isEqualTo(SAMPLES);
    }
  }

  @Test
  void regionThatIsTooSmall_endsItAndTheCountIsHonest() throws Exception {
    Pictures large = new Pictures(700_000);
    try (CacheNode node = CacheNode.launch(TestNodes.settings(directory).build());
        TrainingCache cache = connect(node);
        CachedSamples samples = cache.open(Pictures.spec("large", SAMPLES))) {
      WarmProgress end = end(samples.warm(large.loader()));

      assertThat(end.state()).isEqualTo(State.FULL);
      assertThat(end.refused()).isGreaterThanOrEqualTo(64);
      assertThat(end.total()).isEqualTo(SAMPLES);
      assertThat(end.done()).isLessThan(SAMPLES);
      assertThat(end.loaded()).isGreaterThan(50);
      await().untilAsserted(() -> assertThat(present(samples)).isEqualTo(end.loaded()));
    }
  }

  @Test
  void twoNodes_eachWarmsItsOwn_togetherAll() throws Exception {
    try (LocalGrid grid = LocalGrid.of(2).start()) {
      grid.awaitSettled();
      List<Long> all = new ArrayList<>();
      for (int host = 0; host < 2; host++) {
        try (TrainingCache cache = grid.connect(grid.node(host));
            CachedSamples samples = cache.open(Pictures.spec("shared", SAMPLES))) {
          WarmProgress end = end(samples.warm(loader()));

          assertThat(end.state()).isEqualTo(State.COMPLETE);
          assertThat(end.loaded()).isEqualTo(loads.size()).isBetween(200L, 400L);
          assertThat(end.total()).isEqualTo(end.loaded());
          all.addAll(loads);
          loads.clear();
        }
      }
      assertThat(all).hasSize(SAMPLES).doesNotHaveDuplicates();
      try (TrainingCache cache = grid.connect(grid.node(0));
          CachedSamples samples = cache.open(Pictures.spec("shared", SAMPLES))) {
        assertThat(epoch(samples, 3)).isZero();
      }
    }
  }

  /** Reads all samples in an order of its own; returns how many were loaded for it. */
  private long epoch(CachedSamples samples, int seed) {
    List<Long> order = new ArrayList<>(LongStream.range(0, SAMPLES).boxed().toList());
    Collections.shuffle(order, new Random(seed));
    long loaded = 0;
    for (int start = 0; start < SAMPLES; start += BATCH) {
      long[] indices =
          order.subList(start, start + BATCH).stream().mapToLong(Long::longValue).toArray();
      try (SampleBatch batch = samples.read(indices, ReadShape.COLLATED, loader())) {
        pictures.check(batch);
        loaded += batch.originLoads();
      }
    }
    return loaded;
  }

  private static long present(CachedSamples samples) {
    long present = 0;
    for (int start = 0; start < SAMPLES; start += BATCH) {
      long[] indices = LongStream.range(start, start + BATCH).toArray();
      try (SampleBatch batch = samples.read(indices, ReadShape.RECORDS)) {
        present += batch.hits();
      }
    }
    return present;
  }

  private SampleLoader loader() {
    return index -> {
      loads.add(index);
      return pictures.load(index);
    };
  }

  private static WarmProgress end(WarmUp warmUp) throws InterruptedException {
    assertThat(warmUp.await(Duration.ofSeconds(60))).as("%s", warmUp.progress()).isTrue();
    return warmUp.progress();
  }

  private static TrainingCache connect(CacheNode node) {
    return TrainingCache.connect(
        TrainingCache.Config.builder().address("unix:" + node.socket()).build());
  }
}
