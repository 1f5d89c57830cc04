package io.trainingday.node;

import static org.assertj.core.api.Assertions.assertThat;

import io.trainingday.client.CachedSamples;
import io.trainingday.client.DatasetSpec;
import io.trainingday.client.ReadShape;
import io.trainingday.client.SampleBatch;
import io.trainingday.client.TrainingCache;
import io.trainingday.config.DataSize;
import io.trainingday.config.Portion;
import io.trainingday.config.SettingKey;
import io.trainingday.config.Settings.Policy;
import io.trainingday.processes.NodeProcess;
import io.trainingday.record.DType;
import io.trainingday.record.SampleRecord;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReference;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/**
 * Nodes of unequal memory that are asked for ten times what they hold, all samples with a copy,
 * while one joins and one dies: a data set that keeps what it has beside one that evicts.
 */
@ExtendWith(LocalGridLogs.class)
class UnequalNodesIT {
  private static final String PINNED = "pinned";
  private static final String RECENT = "recent";
  private static final DataSize LARGE = DataSize.ofMiB(96);
  private static final DataSize SMALL = DataSize.ofMiB(64);
  private static final int LEAST_BYTES = 1 << 10;
  private static final int MOST_BYTES = 1 << 20;

  /** Of each; both have ten times all of the grid's memory, sizes even over their logarithms. */
  private static final int SAMPLES =
      (int)
          (5
              * (LARGE.bytes() + 2 * SMALL.bytes())
              / ((MOST_BYTES - LEAST_BYTES) / Math.log((double) MOST_BYTES / LEAST_BYTES)));

  private static final int BATCH = 4;
  private static final int MORE_BATCHES = 5;
  private static final int LOOK_MILLIS = 100;

  /** A node that gave a quarter of its samples away is full again only after as many loads. */
  private static final Duration SOON = Duration.ofMinutes(3);

  /** Far over all deadlines of a read, and far under what a stuck one takes. */
  private static final Duration LONGEST_READ = Duration.ofSeconds(20);

  private final AtomicBoolean over = new AtomicBoolean();
  private final AtomicReference<Throwable> failure = new AtomicReference<>();
  private final List<Trainer> trainers = new ArrayList<>();
  private final Map<String, Long> mostUsed = new ConcurrentHashMap<>();
  private final Map<String, IOException> missedLooks = new ConcurrentHashMap<>();

  @Test
  void tenTimesTheMemory_oneJoinsAndOneDies_nobodyElseDiesAndReadsGoOn() throws Exception {
    try (LocalGrid grid =
        LocalGrid.of(3)
            .set(SettingKey.LANE_MAX_RECORD_SIZE, DataSize.ofBytes(MOST_BYTES + (64 << 10)))
            .setDataset(PINNED, SettingKey.DATASET_BACKUPS, 1)
            .setDataset(RECENT, SettingKey.DATASET_BACKUPS, 1)
            .setDataset(RECENT, SettingKey.DATASET_POLICY, Policy.LRU)
            // The other one would take all there is before this one begins.
            .setDataset(RECENT, SettingKey.DATASET_GUARANTEED, Portion.ofPercent(40))
            .eachNode(
                (number, node) ->
                    node.unset(SettingKey.MEMORY_MAX_SIZE)
                        .set(SettingKey.MEMORY_MAX_SIZE, number == 1 ? LARGE : SMALL))
            .start()) {
      Thread watcher = new Thread(() -> watch(grid), "watcher");
      watcher.start();
      try {
        grid.nodes().forEach(this::train);
        awaitFull(grid);
        train(grid.add());
        awaitSettled(grid);
        awaitFull(grid);
        kill(grid, 2);
        awaitSettled(grid);
        awaitFull(grid);
      } finally {
        over.set(true);
        watcher.join();
        for (Trainer trainer : trainers) {
          trainer.thread.join();
        }
      }

      assertThat(failure.get()).isNull();
      assertThat(grid.living()).hasSize(3);
      for (NodeProcess node : grid.living()) {
        assertThat(grid.metric(node, "training_day_admission_open")).as("%s", node).isOne();
      }
      for (NodeProcess node : grid.nodes()) {
        assertThat(outOfMemory(node)).as("%s", node).isZero();
      }
      // Each has been seen full, and none over its budget.
      mostUsed.forEach(
          (node, bytes) ->
              assertThat(bytes)
                  .as(node)
                  .isBetween(SMALL.bytes() / 4, (node.equals("node-1") ? LARGE : SMALL).bytes()));
      assertThat(mostUsed).as("nodes but for %s", missedLooks).hasSize(4);
      for (Trainer trainer : trainers) {
        assertThat(trainer.longestNanos.get())
            .as("nanoseconds of the longest read of %s", trainer.thread.getName())
            .isLessThan(LONGEST_READ.toNanos());
      }
    }
  }

  /** Kills the node of that number; the log of it shows that it did not run out before. */
  private static void kill(LocalGrid grid, int number) throws IOException {
    NodeProcess victim = grid.node(number - 1);
    grid.kill(victim);
    assertThat(outOfMemory(victim)).isZero();
  }

  private static long outOfMemory(NodeProcess node) throws IOException {
    try (Stream<String> log = Files.lines(node.process().log())) {
      return log.filter(line -> line.contains("IgniteOutOfMemory")).count();
    }
  }

  /** Waits until every node has refused records of one, and given up such of the other. */
  private void awaitFull(LocalGrid grid) throws Exception {
    awaitMore(grid, "training_day_dataset_refusals_total", PINNED);
    awaitMore(grid, "training_day_dataset_evictions_total", RECENT);
  }

  private void awaitMore(LocalGrid grid, String counter, String dataset) throws Exception {
    String label = "dataset=\"" + dataset + "\"";
    Map<NodeProcess, Double> before = new HashMap<>();
    for (NodeProcess node : grid.living()) {
      before.put(node, grid.metric(node, counter, label));
    }
    grid.awaitThat(
        counter + " of " + dataset + " grows on every node",
        SOON,
        () -> {
          failIfAnyReadDid();
          for (NodeProcess node : before.keySet()) {
            if (grid.metric(node, counter, label) <= before.get(node)) {
              return "not on " + node;
            }
          }
          return "";
        });
  }

  /** Waits until everything is where it belongs, and every trainer has read on meanwhile. */
  private void awaitSettled(LocalGrid grid) throws InterruptedException {
    List<Long> before = trainers.stream().map(trainer -> trainer.batches.get()).toList();
    grid.awaitSettled();
    grid.awaitThat(
        "what is on its way arrives, and trainers read on",
        SOON,
        () -> {
          failIfAnyReadDid();
          for (NodeProcess node : grid.living()) {
            if (grid.metric(node, "training_day_arriving_partitions") > 0) {
              return "partitions arrive at " + node;
            }
          }
          for (int i = 0; i < before.size(); i++) {
            if (trainers.get(i).batches.get() < before.get(i) + MORE_BATCHES) {
              return trainers.get(i).thread.getName() + " has read nothing";
            }
          }
          return "";
        });
  }

  private void failIfAnyReadDid() {
    Throwable failed = failure.get();
    if (failed != null) {
      throw new AssertionError("a read failed", failed);
    }
  }

  /** Looks at every node's memory again and again. */
  private void watch(LocalGrid grid) {
    while (!over.get()) {
      for (NodeProcess node : grid.living()) {
        try {
          TimeUnit.MILLISECONDS.sleep(LOOK_MILLIS);
          long used = (long) grid.metric(node, "training_day_memory_used_bytes");
          mostUsed.merge(node.toString(), used, Math::max);
        } catch (IOException deadOrSlow) {
          missedLooks.put(node.toString(), deadOrSlow);
        } catch (InterruptedException impossible) {
          throw new AssertionError(impossible);
        }
      }
    }
  }

  private void train(NodeProcess node) {
    for (String dataset : List.of(PINNED, RECENT)) {
      Trainer trainer = new Trainer(node, dataset, trainers.size());
      trainers.add(trainer);
      trainer.thread.start();
    }
  }

  /** Reads without a pause and loads what is missing. */
  private final class Trainer {
    private final AtomicLong batches = new AtomicLong();
    private final AtomicLong longestNanos = new AtomicLong();
    private final String socket;
    private final String dataset;
    private final SplittableRandom random;
    private final Thread thread;

    Trainer(NodeProcess node, String dataset, int number) {
      socket = node.endpoints().socket();
      this.dataset = dataset;
      random = new SplittableRandom(number);
      thread = new Thread(this::run, dataset + "-trainer-" + number + "-of-" + node);
    }

    private void run() {
      DatasetSpec spec =
          DatasetSpec.builder(dataset).pipeline("sizes").sourceLength(SAMPLES).build();
      try (TrainingCache cache =
              TrainingCache.connect(
                  TrainingCache.Config.builder().address("unix:" + socket).build());
          CachedSamples samples = cache.open(spec)) {
        while (!over.get()) {
          long[] indices = random.longs(BATCH, 0, SAMPLES).distinct().toArray();
          long began = System.nanoTime();
          try (SampleBatch batch = samples.read(indices, ReadShape.RECORDS, this::load)) {
            check(batch, indices);
          }
          longestNanos.accumulateAndGet(System.nanoTime() - began, Math::max);
          batches.incrementAndGet();
        }
      } catch (RuntimeException | AssertionError e) {
        failure.compareAndSet(null, e);
      }
    }

    private SampleRecord load(long index) {
      ByteBuffer data = ByteBuffer.allocate(bytesOf(index));
      data.put(0, (byte) index);
      data.put(data.limit() - 1, (byte) (index + 1));
      return SampleRecord.builder().tensor("x", DType.U8, new long[] {data.limit()}, data).build();
    }

    private void check(SampleBatch batch, long[] indices) {
      for (int i = 0; i < indices.length; i++) {
        ByteBuffer data = batch.record(i).field("x").data();
        assertThat(data.remaining()).isEqualTo(bytesOf(indices[i]));
        assertThat(data.get(data.position())).isEqualTo((byte) indices[i]);
        assertThat(data.get(data.limit() - 1)).isEqualTo((byte) (indices[i] + 1));
      }
    }
  }

  /** The same for a sample every time; even over the logarithms of sizes. */
  private static int bytesOf(long index) {
    double at = new SplittableRandom(index).nextDouble();
    return (int) (LEAST_BYTES * Math.pow((double) MOST_BYTES / LEAST_BYTES, at));
  }
}
