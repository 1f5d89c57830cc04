package io.trainingday.node;

import static org.assertj.core.api.Assertions.assertThat;

import io.trainingday.client.CachedSamples;
import io.trainingday.client.DatasetSpec;
import io.trainingday.client.ReadShape;
import io.trainingday.client.SampleBatch;
import io.trainingday.client.TrainingCache;
import io.trainingday.config.DataSize;
import io.trainingday.config.SettingKey;
import io.trainingday.config.Settings.Tier;
import io.trainingday.processes.NodeProcess;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.IntConsumer;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;

/** Data sets that are larger than memory, and nodes that are started again with their disks. */
@ExtendWith(LocalGridLogs.class)
class DiskTierIT {
  private static final int BATCH = 50;
  private static final Duration SOON = Duration.ofSeconds(60);

  private final Path disks;

  DiskTierIT(@TempDir Path disks) {
    this.disks = disks;
  }

  @Test
  void hybrid_fourTimesTheMemory_isAllThereAfterOneEpoch_andAfterANodeWasStartedAgain()
      throws Exception {
    // Two nodes of 64 MiB, 540 MB of samples.
    int count = 3_600;
    Pictures pictures = new Pictures(150_000);
    DatasetSpec spec = Pictures.spec("large", count);
    try (LocalGrid grid = grid(2, "large", Tier.HYBRID, 0)) {
      try (TrainingCache cache = grid.connect(grid.node(0));
          CachedSamples samples = cache.open(spec)) {
        assertThat(epoch(grid, samples, pictures, count)).isEqualTo(count);
        grid.awaitWritten();
        assertThat(epoch(grid, samples, pictures, count)).isZero();
        for (NodeProcess node : grid.nodes()) {
          assertThat(grid.metric(node, "training_day_disk_hits_total")).isPositive();
          assertThat(grid.metric(node, "training_day_memory_used_bytes")).isPositive();
          assertThat(grid.metric(node, "training_day_disk_records")).isGreaterThan(count / 4.0);
        }

        NodeProcess again = grid.node(1);
        grid.stop(again);
        grid.restart(again);
        grid.awaitSettled();
        awaitShares(grid, 2);
        assertThat(epoch(grid, samples, pictures, count)).isLessThanOrEqualTo(count / 100);
      }
    }
  }

  @Test
  void whatWasLoaded_whileANodeWasAway_isFetchedFromWhoeverOwnedItThen() throws Exception {
    int count = 600;
    Pictures pictures = new Pictures(20_000);
    DatasetSpec spec = Pictures.spec("moved", count);
    try (LocalGrid grid = grid(2, "moved", Tier.DISK, 0)) {
      NodeProcess again = grid.node(1);
      grid.kill(again);
      grid.awaitSettled();
      try (TrainingCache cache = grid.connect(grid.node(0));
          CachedSamples samples = cache.open(spec)) {
        assertThat(epoch(grid, samples, pictures, count)).isEqualTo(count);
        grid.awaitWritten();

        NodeProcess back = grid.restart(again);
        grid.awaitSettled();
        awaitShares(grid, 2);

        assertThat(epoch(grid, samples, pictures, count)).isLessThanOrEqualTo(count / 100);
        double fetched = grid.metric(back, "training_day_disk_fetched_records_total");
        assertThat(fetched).isGreaterThan(count / 4.0);
        grid.awaitWritten();
        assertThat(grid.metric(back, "training_day_disk_records")).isEqualTo(fetched);
        // From now on they are its own.
        assertThat(epoch(grid, samples, pictures, count)).isZero();
        assertThat(grid.metric(back, "training_day_disk_fetched_records_total")).isEqualTo(fetched);
      }
    }
  }

  @Test
  void recordsInMemory_thatMovedWithTheirPartition_areOnTheNewOwnersDiskSoon() throws Exception {
    int count = 600;
    Pictures pictures = new Pictures(20_000);
    DatasetSpec spec = Pictures.spec("down", count);
    try (LocalGrid grid = grid(2, "down", Tier.HYBRID, 0)) {
      NodeProcess again = grid.node(1);
      grid.stop(again);
      grid.awaitSettled();
      try (TrainingCache cache = grid.connect(grid.node(0));
          CachedSamples samples = cache.open(spec)) {
        assertThat(epoch(grid, samples, pictures, count)).isEqualTo(count);
        grid.awaitWritten();
      }
      NodeProcess back = grid.restart(again);
      grid.awaitSettled();
      awaitShares(grid, 2);
      grid.awaitThat(
          "what moved is on disk",
          SOON,
          () -> {
            double records = grid.metric(back, "training_day_disk_records");
            return records < count / 4.0 ? "only " + records : "";
          });
    }
  }

  @Test
  void backups_haveTheirCopiesOnDisk() throws Exception {
    int count = 600;
    Pictures pictures = new Pictures(20_000);
    DatasetSpec spec = Pictures.spec("copied", count);
    try (LocalGrid grid = grid(3, "copied", Tier.DISK, 1)) {
      try (TrainingCache cache = grid.connect(grid.node(0));
          CachedSamples samples = cache.open(spec)) {
        assertThat(epoch(grid, samples, pictures, count)).isEqualTo(count);
        grid.awaitWritten();
        double records = 0;
        for (NodeProcess node : grid.nodes()) {
          records += grid.metric(node, "training_day_disk_records");
        }
        assertThat(records).isEqualTo(2.0 * count);

        grid.kill(grid.node(2));
        grid.awaitSettled();
        assertThat(epoch(grid, samples, pictures, count)).isLessThanOrEqualTo(count / 100);
      }
    }
  }

  @Test
  void node_killedInTheMiddleOfAFill_startsByItself_losesLittle_andGivesNothingWrong()
      throws Exception {
    int count = 4_000;
    Pictures pictures = new Pictures(20_000);
    DatasetSpec spec = Pictures.spec("killed", count);
    try (LocalGrid grid = grid(2, "killed", Tier.HYBRID, 0);
        TrainingCache cache = grid.connect(grid.node(0));
        CachedSamples samples = cache.open(spec)) {
      AtomicInteger read = new AtomicInteger();
      CompletableFuture<Integer> filling =
          CompletableFuture.supplyAsync(
              () -> epoch(grid, samples, pictures, 0, count, read::addAndGet));
      grid.awaitThat("half is read", SOON, () -> read.get() < count / 2 ? "only " + read : "");
      NodeProcess again = grid.node(1);
      grid.kill(again);
      grid.restart(again);
      filling.get();
      grid.awaitSettled();
      awaitShares(grid, 2);
      grid.awaitWritten();

      assertThat(epoch(grid, samples, pictures, count)).isLessThanOrEqualTo(count / 20);
    }
  }

  private LocalGrid grid(int nodes, String dataset, Tier tier, int backups)
      throws InterruptedException {
    return LocalGrid.of(nodes)
        .set(SettingKey.DISK_MAX_SIZE, DataSize.ofGiB(1))
        .eachNode(
            (number, settings) ->
                settings.set(SettingKey.DISK_PATH, disks.resolve("disk-" + number)))
        .setDataset(dataset, SettingKey.DATASET_TIER, tier)
        .setDataset(dataset, SettingKey.DATASET_BACKUPS, backups)
        .start();
  }

  /** Reads everything and checks every byte; how many samples were loaded. */
  private static int epoch(LocalGrid grid, CachedSamples samples, Pictures pictures, int count) {
    return epoch(grid, samples, pictures, 0, count, read -> {});
  }

  private static int epoch(
      LocalGrid grid,
      CachedSamples samples,
      Pictures pictures,
      int from,
      int to,
      IntConsumer progress) {
    AtomicInteger loads = new AtomicInteger();
    for (long start = from; start < to; start += BATCH) {
      int before = loads.get();
      long[] indices = LongStream.range(start, Math.min(to, start + BATCH)).toArray();
      try (SampleBatch batch =
          samples.read(
              indices,
              ReadShape.COLLATED,
              index -> {
                loads.incrementAndGet();
                return pictures.load(index);
              })) {
        pictures.check(batch);
      }
      progress.accept(indices.length);
      if (loads.get() > before) {
        slowDown(grid);
      }
    }
    return loads.get();
  }

  /** A loader slower than the disks: it waits while much is on its way to them. */
  private static void slowDown(LocalGrid grid) {
    AtomicLong inFlight = new AtomicLong();
    try {
      grid.awaitThat(
          "fills are written",
          SOON,
          () -> {
            inFlight.set(0);
            for (NodeProcess node : grid.living()) {
              inFlight.addAndGet(grid.status(node).path("fills").path("inFlightBytes").asLong());
            }
            return inFlight.get() > 16 << 20 ? inFlight + " bytes in flight" : "";
          });
    } catch (InterruptedException e) {
      throw new IllegalStateException(e);
    }
  }

  /** Waits until each node owns partitions again, as a node that has come back soon does. */
  private static void awaitShares(LocalGrid grid, int nodes) throws InterruptedException {
    grid.awaitThat(
        "partitions have moved",
        SOON,
        () -> {
          for (NodeProcess node : grid.living()) {
            double primaries = grid.metric(node, "training_day_primary_partitions");
            double arriving = grid.metric(node, "training_day_arriving_partitions");
            if (primaries < 64.0 / nodes - 1 || arriving > 0) {
              return "%s owns %s, waits for %s".formatted(node, primaries, arriving);
            }
          }
          return "";
        });
  }
}
