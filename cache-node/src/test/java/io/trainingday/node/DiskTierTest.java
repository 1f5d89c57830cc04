package io.trainingday.node;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import io.trainingday.client.CacheAdmin;
import io.trainingday.client.CacheException;
import io.trainingday.client.CachedSamples;
import io.trainingday.client.DatasetSpec;
import io.trainingday.client.ReadShape;
import io.trainingday.client.SampleBatch;
import io.trainingday.client.TrainingCache;
import io.trainingday.config.DataSize;
import io.trainingday.config.SettingKey;
import io.trainingday.config.Settings;
import io.trainingday.config.Settings.Tier;
import io.trainingday.grid.GridCaches;
import io.trainingday.grid.SampleKey;
import io.trainingday.node.disk.BitFlips;
import io.trainingday.node.disk.SmallFileSystem;
import io.trainingday.node.metrics.NodeStats;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.LongStream;
import javax.cache.Cache;
import org.apache.ignite.IgniteCache;
import org.apache.ignite.Ignition;
import org.apache.ignite.cache.query.QueryCursor;
import org.apache.ignite.cache.query.ScanQuery;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** One node with a disk tier: what it keeps, refuses and repairs. */
class DiskTierTest {
  private static final int BATCH = 50;
  private static final int BYTES = 3_000;
  private static final Duration SOON = Duration.ofSeconds(30);

  private final Path directory;
  private final Path disk;
  private final Pictures pictures = new Pictures(BYTES);

  DiskTierTest(@TempDir Path directory) {
    this.directory = directory;
    this.disk = directory.resolve("disk");
  }

  @ParameterizedTest
  @EnumSource
  void bits_flippedInAThousandStoredRecords_areAllFoundAndNoneIsDelivered(Tier tier)
      throws Exception {
    int count = 1_000;
    try (CacheNode node = launch(disk, tier);
        TrainingCache cache = connect(node);
        CachedSamples samples = cache.open(Pictures.spec("flips", count))) {
      assertThat(epoch(samples, count)).isEqualTo(count);
      awaitWritten(node);

      int flips = 0;
      if (tier.onDisk()) {
        flips += BitFlips.inEachRecord(disk.resolve("samples"), BYTES);
      }
      if (tier.inMemory()) {
        flips += flipInMemory();
      }
      assertThat(flips).isEqualTo(tier == Tier.HYBRID ? 2 * count : count);
      assertThat(epoch(samples, count)).isEqualTo(count);

      assertThat(damaged(node)).isEqualTo(flips);
      assertThat(node.stats().disk().damaged()).isEqualTo(tier.onDisk() ? count : 0);
      awaitWritten(node);
      assertThat(epoch(samples, count)).isZero();
    }
  }

  @Test
  void record_damagedInMemory_isReadFromDiskAndNotLoadedAgain() throws Exception {
    int count = 200;
    try (CacheNode node = launch(disk, Tier.HYBRID);
        TrainingCache cache = connect(node);
        CachedSamples samples = cache.open(Pictures.spec("twice", count))) {
      epoch(samples, count);
      awaitWritten(node);
      assertThat(flipInMemory()).isEqualTo(count);

      assertThat(epoch(samples, count)).isZero();

      assertThat(damaged(node)).isEqualTo(count);
      assertThat(node.stats().disk().hits()).isEqualTo(count);
      assertThat(node.stats().datasets().get(0).bestHitRate()).isEqualTo(1);
      // And they are in memory again soon.
      await().atMost(SOON).until(() -> epoch(samples, count) == 0 && promotedAll(node, count));
    }
  }

  private static boolean promotedAll(CacheNode node, int count) {
    return node.stats().disk().promoted() == count;
  }

  @Test
  @Tag("root")
  void disk_thatIsFull_refusesFillsAndReadsOn_andTakesThemAgainWhenThereIsSpace() throws Exception {
    int count = 2_000;
    Pictures large = new Pictures(30_000);
    try (SmallFileSystem small = SmallFileSystem.of(directory, 40);
        CacheNode node = launch(small.root().resolve("disk"), Tier.DISK);
        TrainingCache cache = connect(node);
        CachedSamples samples = cache.open(Pictures.spec("full", count))) {
      epoch(samples, large, 0, 400);
      awaitWritten(node);
      long kept = node.stats().disk().records();
      assertThat(kept).isEqualTo(400);

      small.fill();
      assertThat(epoch(samples, large, 400, 600)).isEqualTo(200);
      awaitWritten(node);
      assertThat(node.stats().disk().records()).isEqualTo(kept);
      assertThat(node.stats().fills().results().get("refused_disk_full")).isEqualTo(200);
      assertThat(node.stats().disk().refusals().get("disk_full")).isPositive();
      assertThat(epoch(samples, large, 0, 400)).isZero();

      small.free();
      await()
          .atMost(SOON)
          .until(
              () -> {
                epoch(samples, large, 400, 600);
                awaitWritten(node);
                return node.stats().disk().records() == 600;
              });
      assertThat(epoch(samples, large, 0, 600)).isZero();
    }
  }

  @Test
  void budget_thatIsUsedUp_refusesFillsByReason_andWhatIsKeptStays() {
    Pictures large = new Pictures(100_000);
    int count = 1_000;
    try (CacheNode node = launch(disk, Tier.DISK);
        TrainingCache cache = connect(node);
        CachedSamples samples = cache.open(Pictures.spec("budget", count))) {
      epoch(samples, large, 0, count);
      awaitWritten(node);

      NodeStats stats = node.stats();
      long kept = stats.disk().records();
      assertThat(kept).isBetween(400L, 700L);
      assertThat(stats.disk().usedBytes()).isLessThan(DataSize.ofMiB(67).bytes());
      assertThat(stats.fills().results().get("refused_disk_budget")).isEqualTo(count - kept);
      assertThat(stats.fills().results().get("written")).isEqualTo(kept);
      NodeStats.Dataset status = stats.datasets().get(0);
      assertThat(status.tier()).isEqualTo("disk");
      assertThat(status.refusals()).containsEntry("disk_budget", count - kept);
      assertThat(status.budgetBytes()).isEqualTo(DataSize.ofMiB(64).bytes());
      assertThat(status.bestHitRate()).isBetween((double) kept / count, 0.68);
      assertThat(status.warnings()).isEmpty();
      assertThat(epoch(samples, large, 0, count)).isEqualTo(count - kept);
      assertThat(stats.memory().usedBytes()).isLessThan(DataSize.ofMiB(30).bytes());
    }
  }

  @Test
  void publishedSamples_goFromTheDisk_andTheOthersStay() {
    int count = 300;
    try (CacheNode node = launch(disk, Tier.HYBRID);
        TrainingCache cache = connect(node);
        CachedSamples samples = cache.open(Pictures.spec("published", count))) {
      epoch(samples, count);
      awaitWritten(node);
      node.versions()
          .publishChanged("default", "published", "request", LongStream.range(0, 100).toArray());

      assertThat(epoch(samples, count)).isEqualTo(100);
      awaitWritten(node);
      await().atMost(SOON).until(() -> node.stats().disk().reclaimed() == 100);
      assertThat(node.stats().disk().records()).isEqualTo(count);
      // Records are counted by walks over the disk; a publish of anything begins one.
      cache.open(Pictures.spec("other", 1)).close();
      node.versions().publishChanged("default", "other", "walk", new long[] {0});
      try (CacheAdmin admin =
          CacheAdmin.connect(
              TrainingCache.Config.builder().address("unix:" + node.socket()).build())) {
        await().atMost(SOON).until(() -> admin.datasets().contains("\"entries\":" + count));
      }
    }
  }

  @Test
  void records_ofADataSetThatNobodyHasOpenedYet_stayUntilItIsOpenedAnew() {
    int count = 300;
    DatasetSpec spec = Pictures.spec("again", count);
    try (CacheNode node = launch(disk, Tier.DISK);
        TrainingCache cache = connect(node);
        CachedSamples samples = cache.open(spec)) {
      epoch(samples, count);
      awaitWritten(node);
    }
    try (CacheNode node = launch(disk, Tier.DISK);
        TrainingCache cache = connect(node);
        CachedSamples other = cache.open(Pictures.spec("other", 10))) {
      epoch(other, 10);
      awaitWritten(node);
      node.versions().publishChanged("default", "other", "request", new long[] {0});
      epoch(other, 10);
      await().atMost(SOON).until(() -> node.stats().disk().reclaimed() == 1);
      assertThat(node.stats().disk().records()).isEqualTo(count + 10);

      try (CachedSamples samples = cache.open(spec)) {
        int loads = epoch(samples, count);
        node.versions().publishChanged("default", "other", "again", new long[] {1});
        epoch(other, 10);
        // Either it has its old incarnation, and all is there, or a new one, and all of it goes.
        await()
            .atMost(SOON)
            .until(() -> node.stats().disk().records() == count + 10 && loads % count == 0);
      }
    }
  }

  @Test
  void dataSetOnDisk_onANodeWithoutOne_isRefusedInWords() {
    Settings settings =
        TestNodes.settings(directory)
            .setDataset("rich", SettingKey.DATASET_TIER, Tier.HYBRID)
            .build();
    try (CacheNode node = CacheNode.launch(settings);
        TrainingCache cache = connect(node)) {
      assertThatThrownBy(() -> cache.open(Pictures.spec("rich", 10)).close())
          .isInstanceOf(CacheException.class)
          .hasMessageContaining(
              "data set \"rich\" has tier=hybrid, but this node has no disk tier, allowed: memory;"
                  + " set disk.path on every node, or datasets.rich.tier=memory");
    }
  }

  @Test
  void disk_thatCannotBeUsed_isRefusedAtTheStart() {
    Path file = Path.of("/proc/version");
    Settings settings = TestNodes.settings(directory).set(SettingKey.DISK_PATH, file).build();
    assertThatThrownBy(() -> CacheNode.launch(settings).close())
        .isInstanceOf(NodeStartException.class)
        .hasMessageStartingWith(
            "the disk tier cannot be opened with disk.path=/proc/version, disk.maxSize=64GiB: ");
  }

  private CacheNode launch(Path path, Tier tier) {
    Settings.Builder settings =
        TestNodes.settings(directory)
            .unset(SettingKey.LANE_MAX_RECORD_SIZE)
            .set(SettingKey.LANE_MAX_RECORD_SIZE, DataSize.ofMiB(1))
            .set(SettingKey.DISK_PATH, path)
            .set(SettingKey.DISK_MAX_SIZE, DataSize.ofMiB(64));
    for (String name : List.of("flips", "twice", "full", "budget", "published", "again", "other")) {
      settings.setDataset(name, SettingKey.DATASET_TIER, tier);
    }
    return CacheNode.launch(settings.build());
  }

  private static TrainingCache connect(CacheNode node) {
    return TrainingCache.connect(
        TrainingCache.Config.builder().address("unix:" + node.socket()).build());
  }

  /** Reads everything and checks every byte; how many samples were loaded. */
  private int epoch(CachedSamples samples, int count) {
    return epoch(samples, pictures, 0, count);
  }

  private static int epoch(CachedSamples samples, Pictures pictures, int from, int to) {
    AtomicInteger loads = new AtomicInteger();
    for (long start = from; start < to; start += BATCH) {
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
    }
    return loads.get();
  }

  private static void awaitWritten(CacheNode node) {
    await().atMost(SOON).until(() -> node.stats().fills().inFlightBytes() == 0);
  }

  private static long damaged(CacheNode node) {
    return node.stats().datasets().stream().mapToLong(NodeStats.Dataset::damaged).sum();
  }

  /** Flips one bit of the payload of each record in memory; how many. */
  private static int flipInMemory() {
    SplittableRandom random = new SplittableRandom(12);
    IgniteCache<SampleKey, byte[]> cache = Ignition.allGrids().get(0).cache(GridCaches.samples(0));
    List<Cache.Entry<SampleKey, byte[]>> entries = new ArrayList<>();
    try (QueryCursor<Cache.Entry<SampleKey, byte[]>> all =
        cache.query(new ScanQuery<SampleKey, byte[]>().setLocal(true))) {
      all.forEach(entries::add);
    }
    for (Cache.Entry<SampleKey, byte[]> entry : entries) {
      byte[] record = entry.getValue().clone();
      int bit = 8 * (record.length - BYTES) + random.nextInt(8 * BYTES);
      record[bit / 8] ^= (byte) (1 << bit % 8);
      cache.put(entry.getKey(), record);
    }
    return entries.size();
  }
}
