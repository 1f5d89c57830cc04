package io.trainingday.node;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import io.trainingday.client.CacheStats;
import io.trainingday.client.CachedSamples;
import io.trainingday.client.DatasetSpec;
import io.trainingday.client.ReadShape;
import io.trainingday.client.SampleBatch;
import io.trainingday.client.TrainingCache;
import io.trainingday.config.DataSize;
import io.trainingday.config.SettingKey;
import io.trainingday.config.Settings;
import io.trainingday.node.lane.LaneStartException;
import java.io.FileOutputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Where shared memory is short, training goes on through the socket, every byte right. */
class SharedMemoryIT {
  private static final int BATCH = 64;
  private static final int PICTURE_BYTES = 40 << 10;
  private static final int BATCHES = 4;
  private static final int EPOCHS = 3;
  private static final Pictures PICTURES = new Pictures(PICTURE_BYTES);

  @Test
  void tmpfs_tooSmallForAllSlots_theRestComesInline(@TempDir Path directory) throws Exception {
    Figures figures = trainOnSmallTmpfs(directory, "never");

    assertThat(figures.slotBatches).isPositive();
    assertThat(figures.inlineBatches).isPositive();
  }

  @Test
  void tmpfs_fullFromTheStart_allComesInline(@TempDir Path directory) throws Exception {
    Figures figures = trainOnSmallTmpfs(directory, "before");

    assertThat(figures.slotBatches).isZero();
    assertThat(figures.inlineBatches).isPositive();
  }

  @Test
  void tmpfs_fullWhileTraining_slotsGoOnAndNewTrainersReadInline(@TempDir Path directory)
      throws Exception {
    Figures figures = trainOnSmallTmpfs(directory, "while");

    assertThat(figures.slotBatches).isPositive();
    assertThat(figures.inlineBatches).isPositive();
  }

  @Test
  void noTmpfs_isRefusedAtStart(@TempDir Path directory) {
    Path noTmpfs = Path.of("/proc");
    Settings settings =
        TestNodes.settings(directory).set(SettingKey.LANE_SEGMENT_DIRECTORY, noTmpfs).build();

    assertThatThrownBy(() -> CacheNode.launch(settings))
        .isInstanceOf(LaneStartException.class)
        .hasMessage(
            "lane.segmentDirectory=/proc is on proc; slots must lie in memory, give a tmpfs such as /dev/shm");
    assertThat(directory.resolve("lane.sock")).doesNotExist();
  }

  @Test
  void connections_moreThanSlots_theRestReadsInline(@TempDir Path directory) throws Exception {
    long maxBytes = 8 << 20;
    Settings settings =
        TestNodes.settings(directory)
            .set(SettingKey.LANE_SLOTS_MAX_BYTES, DataSize.ofMiB(8))
            .set(SettingKey.LANE_SLOTS_MAX_BYTES_PER_CONNECTION, DataSize.ofMiB(8))
            .build();
    int connections = 6;
    ExecutorService threads = Executors.newFixedThreadPool(connections);
    try (CacheNode node = CacheNode.launch(settings)) {
      List<TrainingCache> caches = new ArrayList<>();
      List<Future<CacheStats>> trainers = new ArrayList<>();
      try {
        for (int i = 0; i < connections; i++) {
          TrainingCache cache = connect(node, 1);
          caches.add(cache);
          trainers.add(threads.submit(() -> train(cache, 1)));
        }
        long slotBatches = 0;
        long inlineBatches = 0;
        for (Future<CacheStats> trainer : trainers) {
          slotBatches += trainer.get().slotBatches();
          inlineBatches += trainer.get().inlineBatches();
        }
        assertThat(slotBatches).isPositive();
        assertThat(inlineBatches).isPositive();
        assertThat(node.stats().lane().slotsBytes()).isBetween(1L, maxBytes);
      } finally {
        caches.forEach(TrainingCache::close);
      }
    } finally {
      threads.shutdownNow();
    }
  }

  @Test
  void batches_thatGrow_leaveNoPagesOfSmallerSegments(@TempDir Path directory) throws Exception {
    try (SharedDirectory shared = new SharedDirectory();
        CacheNode node =
            CacheNode.launch(
                TestNodes.settings(directory)
                    .set(SettingKey.LANE_SEGMENT_DIRECTORY, shared.path())
                    .build());
        TrainingCache cache = connect(node, 2);
        CachedSamples samples = cache.open(spec())) {
      for (int count = 1; count <= BATCH; count *= 2) {
        long[] indices = LongStream.range(0, count).toArray();
        for (int round = 0; round < 2; round++) {
          samples.read(indices, ReadShape.COLLATED, PICTURES.loader()).close();
        }
      }

      long slots = 2L * BATCH * PICTURE_BYTES;
      assertThat(node.stats().lane().slotsBytes()).isGreaterThanOrEqualTo(slots);
      await()
          .untilAsserted(
              () ->
                  assertThat(SegmentPages.resident().entrySet())
                      .filteredOn(
                          one -> one.getKey().startsWith(shared.path()) && one.getValue() > 0)
                      .hasSize(1));
      assertThat(node.stats().lane().slotsBytes()).isLessThan(slots * 5 / 4);
    }
  }

  /** What the child counted. */
  private record Figures(long slotBatches, long inlineBatches, long nodeInlineBatches) {}

  private static Figures trainOnSmallTmpfs(Path directory, String fillUp) throws Exception {
    Path mount = Files.createDirectory(directory.resolve("shm"));
    List<String> command = new ArrayList<>(List.of("unshare"));
    if ((int) Files.getAttribute(Path.of("/proc/self"), "unix:uid") != 0) {
      command.add("-r");
    }
    command.addAll(
        List.of(
            "-m",
            "sh",
            "-c",
            "mount -t tmpfs -o size=8m none \"$0\" && exec \"$@\"",
            mount.toString()));
    command.addAll(
        ChildJvm.command(
            ChildJvm.NODE_ARGUMENTS, TrainOnSmallTmpfs.class, mount, directory, fillUp));
    try (ChildJvm child = new ChildJvm(command)) {
      long[] counts = Arrays.stream(child.hear().split(" ")).mapToLong(Long::parseLong).toArray();
      child.endsWell();
      Figures figures = new Figures(counts[0], counts[1], counts[2]);
      assertThat(figures.nodeInlineBatches).isGreaterThanOrEqualTo(figures.inlineBatches);
      return figures;
    }
  }

  /** In a mount namespace of its own: a node and its trainers on a tmpfs of 8 MiB. */
  static final class TrainOnSmallTmpfs {
    private TrainOnSmallTmpfs() {}

    public static void main(String[] arguments) throws Exception {
      Path segments = Path.of(arguments[0]);
      String fillUp = arguments[2];
      if (fillUp.equals("before")) {
        fillUp(segments);
      }
      Settings settings =
          TestNodes.settings(Path.of(arguments[1]))
              .set(SettingKey.LANE_SEGMENT_DIRECTORY, segments)
              .build();
      try (CacheNode node = CacheNode.launch(settings);
          TrainingCache first = connect(node, BATCHES);
          TrainingCache second = connect(node, BATCHES)) {
        List<CacheStats> stats = new ArrayList<>();
        if (fillUp.equals("while")) {
          try (CachedSamples samples = first.open(spec())) {
            for (int epoch = 0; epoch < EPOCHS; epoch++) {
              trainEpoch(samples, 1);
              if (epoch == 0) {
                fillUp(segments);
              }
            }
            stats.add(samples.stats());
          }
          stats.add(train(second, BATCHES));
        } else {
          stats.add(train(first, BATCHES));
        }
        ChildJvm.say(
            "%d %d %d"
                .formatted(
                    stats.stream().mapToLong(CacheStats::slotBatches).sum(),
                    stats.stream().mapToLong(CacheStats::inlineBatches).sum(),
                    node.stats().lane().inlineBatches()));
      }
    }

    private static void fillUp(Path tmpfs) throws IOException {
      try (FileOutputStream ballast = new FileOutputStream(tmpfs.resolve("ballast").toFile())) {
        byte[] page = new byte[4 << 10];
        while (Files.getFileStore(tmpfs).getUsableSpace() > 0) {
          ballast.write(page);
        }
      }
    }
  }

  private static TrainingCache connect(CacheNode node, int slots) {
    return TrainingCache.connect(
        TrainingCache.Config.builder().address("unix:" + node.socket()).slots(slots).build());
  }

  private static DatasetSpec spec() {
    return Pictures.spec("pictures", (long) BATCHES * BATCH);
  }

  private static CacheStats train(TrainingCache cache, int batchesAtATime) {
    try (CachedSamples samples = cache.open(spec())) {
      for (int epoch = 0; epoch < EPOCHS; epoch++) {
        trainEpoch(samples, batchesAtATime);
      }
      return samples.stats();
    }
  }

  /** Reads all samples, so many batches open side by side, and checks every byte. */
  private static void trainEpoch(CachedSamples samples, int batchesAtATime) {
    List<SampleBatch> open = new ArrayList<>();
    for (int start = 0; start < BATCHES * BATCH; start += BATCH) {
      long[] indices = LongStream.range(start, start + BATCH).toArray();
      open.add(samples.read(indices, ReadShape.COLLATED, PICTURES.loader()));
      if (open.size() == batchesAtATime) {
        open.forEach(PICTURES::check);
        open.forEach(SampleBatch::close);
        open.clear();
      }
    }
  }
}
