package io.trainingday.node.lane;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.trainingday.client.CachedSamples;
import io.trainingday.client.DatasetSpec;
import io.trainingday.client.ReadShape;
import io.trainingday.client.SampleBatch;
import io.trainingday.client.TrainingCache;
import io.trainingday.config.DataSize;
import io.trainingday.config.Portion;
import io.trainingday.config.SettingKey;
import io.trainingday.config.Settings.Policy;
import io.trainingday.node.CacheNode;
import io.trainingday.record.DType;
import io.trainingday.record.SampleRecord;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A node decides what goes, though some of it is read on other nodes alone. */
class BackupReadsTest {
  private static final String NAME = "copies";
  private static final int SAMPLES = 1_000;
  private static final int BYTES = 20_000;
  private static final int HELD = 100;
  private static final int HOT = 20;
  private static final int FIRST = 80;
  private static final int LATER = 60;
  private static final Duration SOON = Duration.ofSeconds(30);

  @Test
  void lru_samplesReadFromABackupAlone_staysWithTheirPrimary(@TempDir Path directory)
      throws Exception {
    try (NodeGrid grid =
            NodeGrid.launch(
                directory,
                2,
                settings ->
                    settings
                        .setDataset(NAME, SettingKey.DATASET_BACKUPS, 1)
                        .setDataset(NAME, SettingKey.DATASET_POLICY, Policy.LRU)
                        // Copies count: it holds so many records of which it is the primary.
                        .setDataset(
                            NAME,
                            SettingKey.DATASET_QUOTA,
                            Portion.of(DataSize.ofBytes(2L * HELD * (BYTES + 500)))));
        TrainingCache atPrimary = connect(grid.node(0));
        TrainingCache atBackup = connect(grid.node(1));
        CachedSamples primary = atPrimary.open(spec());
        CachedSamples backup = atBackup.open(spec())) {
      long[] owned = owned(primary, FIRST + LATER);
      long[] hot = Arrays.copyOf(owned, HOT);
      long[] cold = Arrays.copyOfRange(owned, HOT, FIRST);
      long[] later = Arrays.copyOfRange(owned, FIRST, owned.length);

      fill(primary, hot);
      fill(primary, cold);
      await().atMost(SOON).until(() -> grid.node(0).stats().fills().inFlightBytes() == 0);
      assertThat(read(backup, hot)).isEqualTo(HOT);
      assertThat(grid.node(1).stats().datasets().get(0).local().hits()).isEqualTo(HOT);
      await().atMost(SOON).until(() -> grid.node(0).stats().peers().readsHeard() >= HOT);
      assertThat(grid.node(1).stats().peers().readsTold()).isEqualTo(HOT);
      assertThat(grid.node(1).stats().peers().readsUntold()).isZero();

      fill(primary, later);

      // 40 had to go. By the order of filling the hot ones would have been the first.
      await().atMost(SOON).until(() -> grid.node(0).stats().fills().inFlightBytes() == 0);
      assertThat(read(primary, hot)).isEqualTo(HOT);
      assertThat(read(primary, cold)).isLessThan(cold.length / 2);
    }
  }

  private static DatasetSpec spec() {
    return DatasetSpec.builder(NAME).pipeline("zeros").sourceLength(SAMPLES).build();
  }

  private static TrainingCache connect(CacheNode node) {
    return TrainingCache.connect(
        TrainingCache.Config.builder().address("unix:" + node.socket()).build());
  }

  /** Indices whose primary is the node that was asked. */
  private static long[] owned(CachedSamples samples, int count) {
    var ownership = samples.ownership();
    return LongStream.range(0, SAMPLES)
        .filter(index -> ownership.primary(ownership.partitionOf(index)).local())
        .limit(count)
        .toArray();
  }

  /** One by one, so that their order is known. */
  private static void fill(CachedSamples samples, long[] indices) {
    for (long index : indices) {
      long taken = samples.stats().fillsTaken();
      assertThat(read(samples, new long[] {index})).isZero();
      await()
          .atMost(SOON)
          .pollInterval(Duration.ofMillis(1))
          .until(() -> samples.stats().fillsTaken() == taken + 1);
    }
  }

  /** How many were hits. */
  private static int read(CachedSamples samples, long[] indices) {
    int hits = 0;
    for (long index : indices) {
      try (SampleBatch batch =
          samples.read(new long[] {index}, ReadShape.COLLATED, BackupReadsTest::load)) {
        hits += batch.hits();
      }
    }
    return hits;
  }

  private static SampleRecord load(long index) {
    return SampleRecord.builder()
        .tensor("x", DType.U8, new long[] {BYTES}, ByteBuffer.allocate(BYTES))
        .build();
  }
}
