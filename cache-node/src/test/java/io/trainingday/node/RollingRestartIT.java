package io.trainingday.node;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import io.trainingday.client.CacheAdmin;
import io.trainingday.client.CachedSamples;
import io.trainingday.client.ReadShape;
import io.trainingday.client.SampleBatch;
import io.trainingday.client.TrainingCache;
import io.trainingday.config.SettingKey;
import io.trainingday.processes.NodeProcess;
import java.nio.file.Files;
import java.time.Duration;
import java.util.Random;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReference;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/** All nodes are stopped by SIGTERM and started again, one by one, while a training goes on. */
@ExtendWith(LocalGridLogs.class)
class RollingRestartIT {
  private static final int SAMPLES = 600;
  private static final int BATCH = 50;
  private static final int BATCHES_BETWEEN = 10;
  private static final int BY_SIGTERM = 128 + 15;
  private static final Duration SOON = Duration.ofSeconds(60);

  private static final Duration HAND_OVER = Duration.ofSeconds(20);

  /** What the documentation asks of a grace period. */
  private static final Duration GRACE = HAND_OVER.plusSeconds(30);

  /** A node's answer is 2 s, one that is missed 3 s; nothing may be missed twice. */
  private static final Duration DEADLINE = Duration.ofSeconds(6);

  private final Pictures pictures = new Pictures(3_000);
  private final AtomicBoolean over = new AtomicBoolean();
  private final AtomicLong batches = new AtomicLong();
  private final AtomicLong longestNanos = new AtomicLong();
  private final AtomicReference<Throwable> failure = new AtomicReference<>();

  @Test
  void twoNodes_oneAfterTheOther_trainingGoesOnWithHits() throws Exception {
    roll(2);
  }

  @Test
  @Tag("slow")
  void threeNodes_oneAfterTheOther_trainingGoesOnWithHits() throws Exception {
    roll(3);
  }

  private void roll(int nodes) throws Exception {
    try (LocalGrid grid =
            LocalGrid.of(nodes)
                .set(SettingKey.STOP_HAND_OVER, HAND_OVER)
                .setDataset("roll", SettingKey.DATASET_BACKUPS, 1)
                .start();
        TrainingCache cache = grid.connect(grid.node(0));
        CachedSamples samples = cache.open(Pictures.spec("roll", SAMPLES))) {
      awaitWarm(grid, samples);
      long loads = samples.stats().originLoads();
      whileReading(
          samples,
          () -> {
            for (NodeProcess node : grid.nodes()) {
              awaitReads(grid);
              restart(grid, node);
            }
            awaitReads(grid);
          });
      System.out.printf(
          "%d nodes restarted under %d batches, the longest took %d ms%n",
          nodes, batches.get(), Duration.ofNanos(longestNanos.get()).toMillis());
      assertThat(samples.stats().originLoads()).isEqualTo(loads);
    }
  }

  /** Nothing can be handed over then: no error comes of it either, and what is lost is said. */
  @Test
  void drain_withoutCopies_saysWhatIsLost_trainingGoesOn() throws Exception {
    try (LocalGrid grid =
            LocalGrid.of(2)
                .set(SettingKey.STOP_HAND_OVER, HAND_OVER)
                .setDataset("single", SettingKey.DATASET_BACKUPS, 0)
                .start();
        TrainingCache cache = grid.connect(grid.node(0));
        CachedSamples samples = cache.open(Pictures.spec("single", SAMPLES))) {
      awaitWarm(grid, samples);
      long loads = samples.stats().originLoads();
      NodeProcess going = grid.node(1);
      AtomicReference<String> report = new AtomicReference<>("");
      whileReading(
          samples,
          () -> {
            awaitReads(grid);
            try (CacheAdmin admin =
                CacheAdmin.connect(
                    TrainingCache.Config.builder()
                        .address("unix:" + going.endpoints().socket())
                        .build())) {
              report.set(admin.drain(true));
            }
            assertThat(going.process().awaitEnd(GRACE)).as("%s ends in time", going).isTrue();
            awaitReads(grid);
          });
      awaitWarm(grid, samples);

      JsonNode told = new JsonMapper().readTree(report.get());
      assertThat(told.path("otherNodes").asInt()).isEqualTo(1);
      assertThat(told.path("lost")).hasSize(1);
      assertThat(told.at("/lost/0/dataset").asText()).isEqualTo("default/single");
      assertThat(told.at("/lost/0/why").asText()).isEqualTo("backups 0, tier memory");
      long lost = told.at("/lost/0/records").asLong();
      assertThat(lost).isBetween(SAMPLES / 4L, SAMPLES * 3 / 4L);
      // What is read before the grid knows of the departure is loaded without a lease.
      assertThat(samples.stats().originLoads() - loads).isBetween(lost, 2 * lost);
      assertThat(going.process().exitCode()).as(going.process().lastLines()).hasValue(0);
      assertThat(Files.readString(going.process().log()))
          .contains("Lost with this node, to be loaded again: " + lost + " records")
          .contains("of data set default/single: backups 0, tier memory");
    }
  }

  private interface Steps {
    void run() throws Exception;
  }

  /** No batch may fail meanwhile, and none may take too long. */
  private void whileReading(CachedSamples samples, Steps steps) throws Exception {
    Thread trainer = new Thread(() -> read(samples), "trainer");
    trainer.start();
    try {
      steps.run();
    } finally {
      over.set(true);
      trainer.join();
    }
    assertThat(failure.get()).isNull();
    assertThat(Duration.ofNanos(longestNanos.get())).isLessThan(DEADLINE);
  }

  private void warm(CachedSamples samples) {
    for (int start = 0; start < SAMPLES; start += BATCH) {
      long[] indices = LongStream.range(start, start + BATCH).toArray();
      samples.read(indices, ReadShape.COLLATED, pictures.loader()).close();
    }
  }

  private void awaitWarm(LocalGrid grid, CachedSamples samples) throws InterruptedException {
    grid.awaitThat(
        "a pass loads nothing",
        SOON,
        () -> {
          long loads = samples.stats().originLoads();
          warm(samples);
          long more = samples.stats().originLoads() - loads;
          return more == 0 ? "" : more + " loads";
        });
  }

  private static void restart(LocalGrid grid, NodeProcess node) throws Exception {
    Tool.run("kill", "-TERM", Long.toString(node.process().pid()));
    assertThat(node.process().awaitEnd(GRACE)).as("%s ends in time", node).isTrue();
    assertThat(node.process().exitCode()).as(node.process().lastLines()).hasValue(BY_SIGTERM);
    NodeProcess again = grid.restart(node);
    grid.awaitSettled();
    awaitReady(grid, again);
  }

  /** All that Kubernetes waits for before it goes on to the next one. */
  private static void awaitReady(LocalGrid grid, NodeProcess node) throws InterruptedException {
    grid.awaitThat(
        node + " is ready",
        SOON,
        () -> grid.metric(node, "training_day_ready") == 1 ? "" : "it is not");
  }

  private void awaitReads(LocalGrid grid) throws InterruptedException {
    long until = batches.get() + BATCHES_BETWEEN;
    grid.awaitThat(
        "the trainer reads on",
        SOON,
        () -> batches.get() >= until || failure.get() != null ? "" : "at " + batches.get());
  }

  private void read(CachedSamples samples) {
    Random random = new Random(5);
    try {
      while (!over.get()) {
        long[] indices = random.longs(BATCH, 0, SAMPLES).distinct().toArray();
        long start = System.nanoTime();
        try (SampleBatch batch = samples.read(indices, ReadShape.COLLATED, pictures.loader())) {
          pictures.check(batch);
        }
        longestNanos.accumulateAndGet(System.nanoTime() - start, Math::max);
        batches.incrementAndGet();
      }
    } catch (RuntimeException | AssertionError e) {
      failure.set(e);
    }
  }
}
