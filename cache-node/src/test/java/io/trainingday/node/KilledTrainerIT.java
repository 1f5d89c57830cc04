package io.trainingday.node;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.trainingday.client.CachedSamples;
import io.trainingday.client.DatasetSpec;
import io.trainingday.client.ReadShape;
import io.trainingday.client.SampleBatch;
import io.trainingday.client.TrainingCache;
import io.trainingday.config.SettingKey;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.LongAdder;
import java.util.stream.LongStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A trainer that is killed in the middle of its loads leaves nothing behind in the node. */
class KilledTrainerIT {
  private static final int SAMPLES = 200;
  private static final long[] WARM = LongStream.range(0, 64).toArray();
  private static final long[] LEASED = LongStream.range(100, 108).toArray();
  private static final Pictures PICTURES = new Pictures(40_000);

  /** A lease would end by itself only after 30 s. */
  private static final Duration SOON = Duration.ofSeconds(5);

  private SharedDirectory shared;
  private CacheNode node;

  @BeforeEach
  void launch(@TempDir Path directory) throws Exception {
    shared = new SharedDirectory();
    node =
        CacheNode.launch(
            TestNodes.settings(directory)
                .set(SettingKey.LANE_SEGMENT_DIRECTORY, shared.path())
                .set(SettingKey.FILL_LEASE_TIMEOUT, Duration.ofSeconds(30))
                .build());
  }

  @AfterEach
  void stop() throws Exception {
    node.close();
    shared.close();
  }

  @Test
  void killed_withSlotsAndLeases_leavesNothing() throws Exception {
    try (ChildJvm trainer = trainer()) {
      assertThat(node.stats().lane().connections()).isEqualTo(1);
      assertThat(node.stats().lane().slotsBytes()).isPositive();
      assertThat(node.stats().fills().leases()).isEqualTo(LEASED.length);

      trainer.kill();
      awaitNothingLeft();
    }
  }

  @Test
  void killed_othersWaitForItsLeases_theyLoad() throws Exception {
    ExecutorService thread = Executors.newSingleThreadExecutor();
    LongAdder loads = new LongAdder();
    try (ChildJvm trainer = trainer();
        TrainingCache cache = connect(node.socket());
        CachedSamples samples = cache.open(spec())) {
      long misses = misses();
      Future<?> waiting =
          thread.submit(
              () -> {
                try (SampleBatch batch =
                    samples.read(
                        LEASED,
                        ReadShape.COLLATED,
                        index -> {
                          loads.increment();
                          return PICTURES.load(index);
                        })) {
                  PICTURES.check(batch);
                }
              });
      // The node has told the second trainer at least once that the first one is still loading.
      await().atMost(Duration.ofSeconds(30)).until(() -> misses() >= misses + LEASED.length);
      assertThat(loads.sum()).isZero();

      trainer.kill();
      await().atMost(SOON).until(waiting::isDone);
      waiting.get();
      assertThat(loads.sum()).isEqualTo(LEASED.length);
    } finally {
      thread.shutdownNow();
    }
    awaitNothingLeft();
  }

  @Test
  void connectionEnds_withABatchInUse_itStaysWholeAndCountsUntilItIsClosed() throws Exception {
    try (ChildJvm holder = new ChildJvm(List.of(), Holder.class, node.socket())) {
      assertThat(holder.hear()).isEqualTo("disconnected");
      await().atMost(SOON).until(() -> node.stats().lane().connections() == 0);
      // Whoever asks for memory has what nobody holds freed first.
      try (TrainingCache cache = connect(node.socket());
          CachedSamples samples = cache.open(spec())) {
        readIntoSlot(samples).close();
      }
      await().atMost(SOON).until(() -> node.stats().lane().connections() == 0);
      assertThat(node.stats().lane().slotsBytes()).isPositive();

      holder.tell("check");
      assertThat(holder.hear()).isEqualTo("whole");
      awaitNothingLeft();
    }
  }

  private void awaitNothingLeft() throws Exception {
    await()
        .atMost(SOON)
        .untilAsserted(
            () -> {
              assertThat(node.stats().lane().connections()).isZero();
              assertThat(node.stats().lane().slotsBytes()).isZero();
              assertThat(node.stats().fills().leases()).isZero();
            });
    assertThat(shared.nodes()).hasSize(1);
    assertThat(shared.segments()).isEmpty();
  }

  private long misses() {
    return node.stats().datasets().get(0).misses();
  }

  /** A trainer in a JVM without any option, with slots mapped and leases held. */
  private ChildJvm trainer() throws Exception {
    ChildJvm trainer = new ChildJvm(List.of(), Trainer.class, node.socket());
    try {
      assertThat(trainer.hear()).isEqualTo("loading");
      return trainer;
    } catch (Throwable e) {
      trainer.close();
      throw e;
    }
  }

  private static DatasetSpec spec() {
    return Pictures.spec("pictures", SAMPLES);
  }

  private static TrainingCache connect(Path socket) {
    return TrainingCache.connect(TrainingCache.Config.builder().address("unix:" + socket).build());
  }

  private static SampleBatch readIntoSlot(CachedSamples samples) {
    while (true) {
      long before = samples.stats().slotBatches();
      SampleBatch batch = samples.read(WARM, ReadShape.COLLATED, PICTURES.loader());
      if (samples.stats().slotBatches() > before) {
        return batch;
      }
      batch.close();
    }
  }

  /** Closes its connection and looks at a batch all the same. */
  static final class Holder {
    private Holder() {}

    public static void main(String[] arguments) throws Exception {
      SampleBatch batch;
      try (TrainingCache cache = connect(Path.of(arguments[0]));
          CachedSamples samples = cache.open(spec())) {
        batch = readIntoSlot(samples);
      }
      ChildJvm.say("disconnected");
      if (System.in.read() >= 0) {
        PICTURES.check(batch);
        batch.close();
        ChildJvm.say("whole");
      }
      new CountDownLatch(1).await();
    }
  }

  /** Trains on some samples, then begins to load others and never ends. */
  static final class Trainer {
    private Trainer() {}

    public static void main(String[] arguments) {
      TrainingCache cache = connect(Path.of(arguments[0]));
      CachedSamples samples = cache.open(spec());
      try (SampleBatch batch = readIntoSlot(samples)) {
        PICTURES.check(batch);
      }
      CountDownLatch never = new CountDownLatch(1);
      CountDownLatch said = new CountDownLatch(1);
      samples.read(
          LEASED,
          ReadShape.COLLATED,
          index -> {
            synchronized (said) {
              if (said.getCount() > 0) {
                said.countDown();
                ChildJvm.say("loading");
              }
            }
            never.await();
            return PICTURES.load(index);
          });
    }
  }
}
