package io.trainingday.node;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.trainingday.client.CacheAdmin;
import io.trainingday.client.CachedSamples;
import io.trainingday.client.DatasetSpec;
import io.trainingday.client.ReadShape;
import io.trainingday.client.SampleBatch;
import io.trainingday.client.TrainingCache;
import io.trainingday.record.SampleRecord;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.ConcurrentSkipListSet;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A manifest published before an epoch makes the trainer load what has changed, and only that. */
class ManifestIT {
  private static final int SAMPLES = 100_000;
  private static final int BATCH = 2_000;

  private final Set<Long> loads = new ConcurrentSkipListSet<>();
  private final String[] sources = new String[SAMPLES];

  @Test
  void publishManifest_100Of100000Changed_100LoadsInTheNextEpoch(@TempDir Path directory) {
    Arrays.setAll(sources, index -> "mtime 1 size " + index);
    try (CacheNode node = CacheNode.launch(TestNodes.settings(directory).build());
        TrainingCache cache = TrainingCache.connect(config(node));
        CacheAdmin admin = CacheAdmin.connect(config(node));
        CachedSamples samples =
            cache.open(DatasetSpec.builder("files").pipeline("p").sourceLength(SAMPLES).build())) {
      publish(admin);
      assertThat(epoch(node, samples)).hasSize(SAMPLES);
      assertThat(epoch(node, samples)).isEmpty();

      Set<Long> changed = new TreeSet<>();
      for (long index = 17; index < SAMPLES; index += 1_000) {
        changed.add(index);
        sources[(int) index] = "mtime 2 size " + index;
      }
      publish(admin);

      assertThat(changed).hasSize(100);
      assertThat(epoch(node, samples)).isEqualTo(changed);
      assertThat(epoch(node, samples)).isEmpty();
    }
  }

  private static TrainingCache.Config config(CacheNode node) {
    return TrainingCache.Config.builder()
        .address("unix:" + node.socket())
        .answerTimeout(Duration.ofSeconds(30))
        .build();
  }

  private void publish(CacheAdmin admin) {
    admin.publishManifest("files", LongStream.range(0, SAMPLES).toArray(), sources.clone());
  }

  /** Reads every sample, checks it, and returns those that were loaded. */
  private Set<Long> epoch(CacheNode node, CachedSamples samples) {
    loads.clear();
    for (long start = 0; start < SAMPLES; start += BATCH) {
      long[] indices = LongStream.range(start, start + BATCH).toArray();
      try (SampleBatch batch = samples.read(indices, ReadShape.RECORDS, this::load)) {
        for (int i = 0; i < indices.length; i++) {
          assertThat(batch.record(i).attributes())
              .containsEntry("source", sources[(int) indices[i]]);
        }
      }
    }
    await().atMost(Duration.ofSeconds(30)).until(() -> node.stats().fills().inFlightBytes() == 0);
    return new TreeSet<>(loads);
  }

  private SampleRecord load(long index) {
    loads.add(index);
    return SampleRecord.builder().attribute("source", sources[(int) index]).build();
  }
}
