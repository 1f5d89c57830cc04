package io.trainingday.node;

import static org.assertj.core.api.Assertions.assertThat;

import io.trainingday.client.CachedSamples;
import io.trainingday.client.ReadShape;
import io.trainingday.client.SampleBatch;
import io.trainingday.client.TrainingCache;
import io.trainingday.config.SettingKey;
import io.trainingday.processes.NodeProcess;
import java.time.Duration;
import java.util.Random;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReference;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** All nodes are stopped by SIGTERM and started again, one by one, while a training goes on. */
@ExtendWith(LocalGridLogs.class)
class RollingRestartIT {
  private static final Logger LOG = LoggerFactory.getLogger(RollingRestartIT.class);
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
      Thread trainer = new Thread(() -> read(samples), "trainer");
      trainer.start();
      try {
        for (NodeProcess node : grid.nodes()) {
          awaitReads(grid);
          restart(grid, node);
        }
        awaitReads(grid);
      } finally {
        over.set(true);
        trainer.join();
      }
      LOG.info(
          "{} nodes restarted under {} batches, the longest took {} ms",
          nodes,
          batches.get(),
          Duration.ofNanos(longestNanos.get()).toMillis());
      assertThat(failure.get()).isNull();
      assertThat(samples.stats().originLoads()).isEqualTo(loads);
      assertThat(Duration.ofNanos(longestNanos.get())).isLessThan(DEADLINE);
    }
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
