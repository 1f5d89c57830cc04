package io.trainingday.node;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import io.trainingday.client.CacheAdmin;
import io.trainingday.client.CacheException;
import io.trainingday.client.CachedSamples;
import io.trainingday.client.ReadShape;
import io.trainingday.client.SampleBatch;
import io.trainingday.client.TrainingCache;
import io.trainingday.config.DataSize;
import io.trainingday.config.Portion;
import io.trainingday.config.SettingKey;
import io.trainingday.node.metrics.NodeStats;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A data set's policy from its settings to its status, and changed while it is in use. */
class DatasetPolicyTest {
  private static final int SAMPLES = 400;
  private static final int HELD = 200;
  private static final int BYTES = 20_000;

  private final Path directory;
  private final Pictures pictures = new Pictures(BYTES);

  DatasetPolicyTest(@TempDir Path directory) {
    this.directory = directory;
  }

  private int read(CachedSamples samples, int from, int to) {
    int hits = 0;
    for (int index = from; index < to; index++) {
      try (SampleBatch batch =
          samples.read(new long[] {index}, ReadShape.COLLATED, pictures.loader())) {
        pictures.check(batch);
        hits += batch.hits();
      }
    }
    return hits;
  }

  private static NodeStats.Dataset status(CacheNode node) {
    return node.stats().datasets().get(0);
  }

  @Test
  void policy_setChangedAndRefused() {
    try (CacheNode node =
            CacheNode.launch(
                TestNodes.settings(directory)
                    .setDataset(
                        "pets",
                        SettingKey.DATASET_QUOTA,
                        Portion.of(DataSize.ofBytes(HELD * (BYTES + 500L))))
                    .build());
        TrainingCache cache =
            TrainingCache.connect(
                TrainingCache.Config.builder().address("unix:" + node.socket()).build());
        CachedSamples samples = cache.open(Pictures.spec("pets", SAMPLES));
        CacheAdmin admin =
            CacheAdmin.connect(
                TrainingCache.Config.builder().address("unix:" + node.socket()).build())) {
      assertThat(read(samples, 0, SAMPLES)).isZero();
      assertThat(status(node).policy()).isEqualTo("pin");
      assertThat(status(node).tenant()).isEqualTo("default");
      await()
          .untilAsserted(() -> assertThat(status(node).entries()).isBetween(HELD - 1L, HELD + 5L));
      assertThat(status(node).refusals().get("quota")).isBetween(190L, 210L);
      assertThat(status(node).bestHitRate()).isBetween(0.48, 0.53);
      assertThat(status(node).warnings()).isEmpty();
      assertThat(read(samples, 0, SAMPLES)).isBetween(HELD - 2, HELD + 5);

      assertThat(admin.configure("pets", Map.of("policy", "lru")))
          .containsEntry("policy", "lru")
          .containsEntry("validation", "checksum");

      assertThat(status(node).policy()).isEqualTo("lru");
      assertThat(status(node).warnings())
          .singleElement()
          .asString()
          .startsWith("policy=lru keeps less than pin would")
          .contains("training-day dataset pets policy=pin");
      // In the same order again and again, an LRU that is too small finds nothing, but for records
      // that came late because room had to be made first.
      read(samples, 0, SAMPLES);
      assertThat(read(samples, 0, SAMPLES)).isLessThan(SAMPLES / 20);
      assertThat(status(node).evictions()).isGreaterThan(SAMPLES / 2);
      assertThat(status(node).entries()).isBetween(HELD - 20L, HELD + 5L);
      // What was read last is there.
      assertThat(read(samples, SAMPLES - 100, SAMPLES)).isEqualTo(100);

      assertThatThrownBy(() -> admin.configure("pets", Map.of("policy", "fifo")))
          .isInstanceOf(CacheException.class)
          .hasMessageContaining("policy=fifo, allowed: pin, lru, lfu or random");
      assertThatThrownBy(() -> admin.configure("pets", Map.of("backups", "1")))
          .isInstanceOf(CacheException.class)
          .hasMessageContaining(
              "setting \"backups\" cannot be changed, take one of guaranteed, policy, quota");
      assertThatThrownBy(() -> admin.configure("cats", Map.of("policy", "lru")))
          .isInstanceOf(CacheException.class)
          .hasMessageContaining("data set \"default/cats\" is unknown");
      // Who opens it later gets what is kept, whatever the node's settings said at first.
      try (CachedSamples later = cache.open(Pictures.spec("pets", SAMPLES))) {
        assertThat(read(later, SAMPLES - 1, SAMPLES)).isEqualTo(1);
      }
      assertThat(status(node).policy()).isEqualTo("lru");
    }
  }
}
