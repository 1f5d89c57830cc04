package io.trainingday.node;

import static org.assertj.core.api.Assertions.assertThat;

import io.trainingday.client.CachedSamples;
import io.trainingday.client.ReadShape;
import io.trainingday.client.SampleBatch;
import io.trainingday.client.TrainingCache;
import io.trainingday.processes.NodeProcess;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Random;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReference;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/** Nodes that come and go while a trainer reads leave nothing behind in the one that stays. */
@Tag("slow")
@ExtendWith(LocalGridLogs.class)
class GridChurnIT {
  private static final int SAMPLES = 1_000;
  private static final int BATCH = 50;
  private static final int CYCLES = 10;
  private static final int READS_A_CYCLE = 20;
  private static final Duration SOON = Duration.ofSeconds(60);

  private final Pictures pictures = new Pictures(3_000);
  private final AtomicBoolean over = new AtomicBoolean();
  private final AtomicLong batches = new AtomicLong();
  private final AtomicReference<Throwable> failure = new AtomicReference<>();

  @Test
  void nodeThatComesAndGoes_tenTimesUnderLoad_leavesNothing() throws Exception {
    try (LocalGrid grid = LocalGrid.of(2).start();
        TrainingCache cache = grid.connect(grid.node(0));
        CachedSamples samples = cache.open(Pictures.spec("churn", SAMPLES))) {
      NodeProcess stays = grid.node(0);
      Thread trainer = new Thread(() -> read(samples), "trainer");
      trainer.start();
      try {
        cycle(grid);
        cycle(grid);
        long threads = threads(stays);
        long files = files(stays);
        double memory = grid.metric(stays, "training_day_memory_used_bytes");

        for (int i = 0; i < CYCLES; i++) {
          cycle(grid);
        }

        grid.awaitThat(
            "threads, files and memory are as before",
            SOON,
            () -> {
              long moreThreads = threads(stays) - threads;
              long moreFiles = files(stays) - files;
              double more = grid.metric(stays, "training_day_memory_used_bytes") / memory;
              // Ignite's pools start a thread now and then; ten of anything would be one a cycle.
              return moreThreads < CYCLES / 2 && moreFiles < CYCLES / 2 && more < 1.25
                  ? ""
                  : "%d threads more, %d files more, %.2f × the memory"
                      .formatted(moreThreads, moreFiles, more);
            });
      } finally {
        over.set(true);
        trainer.join();
      }
      assertThat(failure.get()).isNull();
    }
  }

  private void cycle(LocalGrid grid) throws InterruptedException {
    NodeProcess guest = grid.add();
    grid.awaitSettled();
    awaitReads(grid);
    grid.stop(guest);
    grid.awaitSettled();
    awaitReads(grid);
  }

  private void awaitReads(LocalGrid grid) throws InterruptedException {
    long until = batches.get() + READS_A_CYCLE;
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
        try (SampleBatch batch = samples.read(indices, ReadShape.COLLATED, pictures.loader())) {
          pictures.check(batch);
        }
        batches.incrementAndGet();
      }
    } catch (RuntimeException | AssertionError e) {
      failure.set(e);
    }
  }

  private static long threads(NodeProcess node) throws IOException {
    return count(node, "task");
  }

  private static long files(NodeProcess node) throws IOException {
    return count(node, "fd");
  }

  private static long count(NodeProcess node, String what) throws IOException {
    try (Stream<Path> entries =
        Files.list(Path.of("/proc", Long.toString(node.process().pid()), what))) {
      return entries.count();
    }
  }
}
