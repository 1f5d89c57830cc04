package io.trainingday.node;

import static org.assertj.core.api.Assertions.assertThat;

import io.trainingday.client.CachedSamples;
import io.trainingday.client.DatasetSpec;
import io.trainingday.client.Ownership;
import io.trainingday.client.ReadShape;
import io.trainingday.client.SampleBatch;
import io.trainingday.client.TrainingCache;
import io.trainingday.config.DataSize;
import io.trainingday.config.SettingKey;
import io.trainingday.grid.BoundedLoadAffinity;
import io.trainingday.processes.NodeProcess;
import java.time.Duration;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/** Three nodes are one cache: what one trainer loaded every other one reads, from any host. */
@ExtendWith(LocalGridLogs.class)
class GridReadsIT {
  private static final int SAMPLES = 1_500;
  private static final int BATCH = 100;
  private static final String READS = "training_day_reads_total";
  private static final Duration WRITTEN = Duration.ofSeconds(30);

  private final Pictures pictures = new Pictures(3_000);

  @Test
  void everySample_isReadFromEveryHost_fromWhereTheTableSaysItLies() throws Exception {
    try (LocalGrid grid = LocalGrid.of(3).start()) {
      readFromEveryHost(grid, spec("alone", SAMPLES, 0));
      readFromEveryHost(grid, spec("copied", SAMPLES, 1));
    }
  }

  private void readFromEveryHost(LocalGrid grid, DatasetSpec spec) throws Exception {
    double origin = sum(grid, "origin");
    load(grid, spec);
    for (NodeProcess node : grid.nodes()) {
      for (boolean tcp : new boolean[] {false, true}) {
        try (TrainingCache cache = tcp ? grid.connectTcp(node) : grid.connect(node);
            CachedSamples samples = cache.open(spec)) {
          Ownership owners = samples.ownership();
          long held = held(owners, SAMPLES);
          double local = reads(grid, node, "local");
          double peer = reads(grid, node, "peer");

          for (ReadShape shape : ReadShape.values()) {
            assertThat(hits(samples, shape, SAMPLES)).isEqualTo(SAMPLES);
          }

          int times = ReadShape.values().length;
          assertThat(reads(grid, node, "local") - local).isEqualTo((double) times * held);
          assertThat(reads(grid, node, "peer") - peer).isEqualTo((double) times * (SAMPLES - held));
        }
      }
    }
    assertThat(sum(grid, "origin") - origin).isEqualTo(SAMPLES);
  }

  @Test
  void node_ofThree_dies_allFilledToTheLimit_everyCopyIsServedAndBackupsAreRebuilt()
      throws Exception {
    int wanted = 16_000;
    Pictures large = new Pictures(20_000);
    DatasetSpec spec = spec("full", wanted, 1);
    try (LocalGrid grid =
        LocalGrid.of(3).set(SettingKey.MEMORY_MAX_SIZE, DataSize.ofMiB(96)).start()) {
      Set<Long> kept = new HashSet<>();
      try (TrainingCache cache = grid.connect(grid.node(0));
          CachedSamples samples = cache.open(spec)) {
        readAll(samples, wanted, large);
        grid.awaitWritten();
        assertThat(refused(grid)).as("fills refused").isPositive();
        for (long[] indices : batches(wanted)) {
          try (SampleBatch batch = samples.read(indices, ReadShape.COLLATED, large.loader())) {
            large.check(batch);
            for (int i = 0; i < batch.size(); i++) {
              if (batch.status(i) == SampleBatch.Status.HIT) {
                kept.add(batch.index(i));
              }
            }
          }
        }
        // What was loaded once more is refused by now, and takes no room from what is to move.
        grid.awaitWritten();
        assertThat(kept).hasSizeGreaterThan(wanted / 8);

        grid.kill(grid.node(2));
        grid.awaitSettled();
        long[] copied = kept.stream().mapToLong(Long::longValue).sorted().toArray();

        assertThat(hits(samples, large, copied)).isEqualTo(copied.length);
      }
      awaitRebuilt(grid, spec);
      for (NodeProcess node : grid.living()) {
        try (TrainingCache cache = grid.connect(node);
            CachedSamples samples = cache.open(spec)) {
          long[] copied = kept.stream().mapToLong(Long::longValue).sorted().toArray();
          assertThat(hits(samples, large, copied)).isEqualTo(copied.length);
        }
        assertThat(grid.status(node).path("notReady").asText()).isEmpty();
        assertThat(grid.metric(node, "training_day_admission_open")).isEqualTo(1);
      }
      // With a copy on each of the two, either of them alone serves everything.
      grid.kill(grid.node(1));
      grid.awaitSettled();
      try (TrainingCache cache = grid.connect(grid.node(0));
          CachedSamples samples = cache.open(spec)) {
        long[] copied = kept.stream().mapToLong(Long::longValue).sorted().toArray();
        assertThat(hits(samples, large, copied)).isEqualTo(copied.length);
      }
      assertThat(grid.logs()).doesNotContain("IgniteOutOfMemoryException", "OutOfMemoryError");
    }
  }

  @Test
  void grid_thatIsGone_isTheOriginWithOneWarning_andServesAgainWithoutARestart() throws Exception {
    DatasetSpec spec = spec("gone", 300, 0);
    try (LocalGrid grid = LocalGrid.of(2).start();
        TrainingCache cache = grid.connect(grid.node(0));
        CachedSamples samples = cache.open(spec)) {
      readAll(samples, 300, pictures);
      List<NodeProcess> all = List.copyOf(grid.nodes());
      all.forEach(grid::kill);

      AtomicInteger loads = new AtomicInteger();
      for (long[] indices : batches(300)) {
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
      assertThat(loads).hasValue(300);

      for (NodeProcess node : all) {
        grid.restart(node);
      }
      grid.awaitSettled();
      grid.awaitThat(
          "the trainer reads from the cache again",
          WRITTEN,
          () -> hits(samples, ReadShape.COLLATED, 300) == 300 ? "" : "misses");
    }
  }

  private DatasetSpec spec(String name, long count, int backups) {
    return DatasetSpec.builder(name)
        .pipeline("pictures-1")
        .sourceLength(count)
        .sourceDigest("made up")
        .backups(backups)
        .build();
  }

  /** Loads everything through the first node and waits until it is kept. */
  private void load(LocalGrid grid, DatasetSpec spec) throws Exception {
    try (TrainingCache cache = grid.connect(grid.node(0));
        CachedSamples samples = cache.open(spec)) {
      readAll(samples, SAMPLES, pictures);
      grid.awaitWritten();
      assertThat(refused(grid)).isZero();
    }
  }

  private static void readAll(CachedSamples samples, int count, Pictures pictures) {
    for (long[] indices : batches(count)) {
      try (SampleBatch batch = samples.read(indices, ReadShape.COLLATED, pictures.loader())) {
        pictures.check(batch);
      }
    }
  }

  private int hits(CachedSamples samples, ReadShape shape, int count) {
    int hits = 0;
    for (long[] indices : batches(count)) {
      try (SampleBatch batch = samples.read(indices, shape, pictures.loader())) {
        if (shape == ReadShape.COLLATED) {
          pictures.check(batch);
        }
        hits += batch.hits();
      }
    }
    return hits;
  }

  private static int hits(CachedSamples samples, Pictures pictures, long[] wanted) {
    int hits = 0;
    for (int start = 0; start < wanted.length; start += BATCH) {
      int end = Math.min(wanted.length, start + BATCH);
      long[] indices = Arrays.copyOfRange(wanted, start, end);
      try (SampleBatch batch = samples.read(indices, ReadShape.COLLATED, pictures.loader())) {
        pictures.check(batch);
        hits += batch.hits();
      }
    }
    return hits;
  }

  private static List<long[]> batches(int count) {
    return LongStream.iterate(0, start -> start < count, start -> start + BATCH)
        .mapToObj(start -> LongStream.range(start, Math.min(count, start + BATCH)).toArray())
        .toList();
  }

  private static long held(Ownership owners, int samples) {
    return LongStream.range(0, samples)
        .filter(
            index ->
                owners.copies(BoundedLoadAffinity.partition(index, owners.partitions())).stream()
                    .anyMatch(Ownership.Node::local))
        .count();
  }

  private static double reads(LocalGrid grid, NodeProcess node, String source) throws Exception {
    return grid.metric(node, READS, "source=\"" + source + "\"", "result=\"hit\"");
  }

  private static double sum(LocalGrid grid, String source) throws Exception {
    double sum = 0;
    for (NodeProcess node : grid.living()) {
      sum += reads(grid, node, source);
    }
    return sum;
  }

  private static double refused(LocalGrid grid) throws Exception {
    double refused = 0;
    for (NodeProcess node : grid.living()) {
      refused += grid.metric(node, "training_day_fills_total", "result=\"refused");
    }
    return refused;
  }

  private static void awaitRebuilt(LocalGrid grid, DatasetSpec spec) throws InterruptedException {
    grid.awaitThat(
        "every partition has its backup again",
        Duration.ofSeconds(90),
        () -> {
          try (TrainingCache cache = grid.connect(grid.node(0));
              CachedSamples samples = cache.open(spec)) {
            Ownership owners = samples.ownership();
            return owners.holders().stream().allMatch(holders -> holders.size() == 2)
                ? ""
                : "some have none";
          }
        });
  }
}
