package io.trainingday.node;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import io.trainingday.client.CacheAdmin;
import io.trainingday.client.CachedSamples;
import io.trainingday.client.DatasetSpec;
import io.trainingday.client.ReadShape;
import io.trainingday.client.SampleBatch;
import io.trainingday.client.TrainingCache;
import io.trainingday.config.DataSize;
import io.trainingday.config.Portion;
import io.trainingday.config.SettingKey;
import io.trainingday.config.Settings.Policy;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.TreeMap;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/** Every kind of miss, made for real over two nodes, and what {@code explain} says of each. */
@ExtendWith(LocalGridLogs.class)
class ExplainIT {
  private static final int SAMPLES = 60;
  private static final int LRU_SAMPLES = 120;
  private static final int BYTES = 20_000;

  private final Pictures pictures = new Pictures(BYTES);

  @Test
  void explain_namesTheReasonOfEveryMiss() throws Exception {
    try (LocalGrid grid =
            LocalGrid.of(2)
                .setDataset("refused", SettingKey.DATASET_QUOTA, Portion.of(DataSize.ofBytes(0)))
                .setDataset("evicted", SettingKey.DATASET_POLICY, Policy.LRU)
                .setDataset(
                    "evicted",
                    SettingKey.DATASET_QUOTA,
                    Portion.of(DataSize.ofBytes(LRU_SAMPLES / 4 * (BYTES + 500L))))
                .setDataset("expired", SettingKey.DATASET_MAX_AGE, Duration.ofSeconds(1))
                .start();
        TrainingCache cache = TrainingCache.connect(config(grid));
        CacheAdmin admin = CacheAdmin.connect(config(grid))) {
      cold(cache, admin);
      refused(cache, admin);
      evicted(cache, admin);
      expired(cache, admin);
      version(cache, admin);
      fingerprint(cache, admin);
      ownerLost(grid, cache, admin);
    }
  }

  private void cold(TrainingCache cache, CacheAdmin admin) throws IOException {
    try (CachedSamples samples = open(cache, "cold", "p", SAMPLES)) {
      assertThat(explain(admin, "cold", 0).path("lastMissReason").isNull()).isTrue();
      assertAll(admin, "cold", misses(samples, SAMPLES), SAMPLES, "cold", "");
      load(samples, SAMPLES);
      awaitAll(samples, SAMPLES);
      // It was cold when it was missed; now it is there.
      JsonNode loaded = explain(admin, "cold", 7);
      assertThat(loaded.path("lastMissReason").asText()).isEqualTo("cold");
      assertThat(loaded.path("hosts")).hasSize(1);
      assertThat(loaded.at("/hosts/0/role").asText()).isEqualTo("primary");
      assertThat(loaded.at("/hosts/0/memory").asBoolean()).isTrue();
      assertThat(loaded.at("/versions/0/current").asBoolean()).isTrue();
      assertThat(loaded.at("/variants/0").asInt()).isZero();
      assertThat(loaded.at("/pipelines/0/records").asInt()).isEqualTo(1);
    }
  }

  private void refused(TrainingCache cache, CacheAdmin admin) throws IOException {
    try (CachedSamples samples = open(cache, "refused", "p", SAMPLES)) {
      load(samples, SAMPLES);
      await()
          .untilAsserted(
              () ->
                  assertAll(
                      admin, "refused", misses(samples, SAMPLES), SAMPLES, "refused", "quota"));
    }
  }

  private void evicted(TrainingCache cache, CacheAdmin admin) throws IOException {
    try (CachedSamples samples = open(cache, "evicted", "p", LRU_SAMPLES)) {
      load(samples, LRU_SAMPLES);
      List<Long> missed = misses(samples, LRU_SAMPLES);
      assertThat(missed).hasSizeGreaterThan(LRU_SAMPLES / 3);
      assertAll(admin, "evicted", missed, missed.size(), "evicted", "");
    }
  }

  private void expired(TrainingCache cache, CacheAdmin admin) throws IOException {
    try (CachedSamples samples = open(cache, "expired", "p", SAMPLES)) {
      load(samples, SAMPLES);
      await()
          .untilAsserted(
              () -> {
                List<Long> missed = misses(samples, SAMPLES);
                assertAll(admin, "expired", missed, SAMPLES, "expired", "");
              });
    }
  }

  private void version(TrainingCache cache, CacheAdmin admin) throws IOException {
    try (CachedSamples samples = open(cache, "version", "p", 2 * SAMPLES)) {
      load(samples, SAMPLES);
      awaitAll(samples, SAMPLES);
      admin.invalidate("version", LongStream.range(0, SAMPLES / 2).toArray());
      List<Long> invalidated = misses(samples, SAMPLES);
      assertAll(admin, "version", invalidated, SAMPLES / 2, "version", "");
      admin.publish("version");
      List<Long> missed = misses(samples, 2 * SAMPLES);
      assertThat(missed).hasSize(2 * SAMPLES);
      // Those that nobody ever loaded are cold, however often the data set was published.
      assertAll(admin, "version", missed.subList(0, SAMPLES), SAMPLES, "version", "");
      assertAll(admin, "version", missed.subList(SAMPLES, 2 * SAMPLES), SAMPLES, "cold", "");
    }
  }

  private void fingerprint(TrainingCache cache, CacheAdmin admin) throws IOException {
    try (CachedSamples before = open(cache, "fingerprint", "before", SAMPLES);
        CachedSamples after = open(cache, "fingerprint", "after", SAMPLES)) {
      load(before, SAMPLES);
      awaitAll(before, SAMPLES);
      assertAll(admin, "fingerprint", misses(after, SAMPLES), SAMPLES, "fingerprint", "");
    }
  }

  private void ownerLost(LocalGrid grid, TrainingCache cache, CacheAdmin admin)
      throws IOException, InterruptedException {
    try (CachedSamples samples = open(cache, "lost", "p", 2 * SAMPLES)) {
      load(samples, SAMPLES);
      awaitAll(samples, SAMPLES);

      grid.kill(grid.node(1));
      grid.awaitSettled();

      List<Long> missed = misses(samples, 2 * SAMPLES);
      List<Long> loaded = missed.stream().filter(index -> index < SAMPLES).toList();
      List<Long> never = missed.stream().filter(index -> index >= SAMPLES).toList();
      assertThat(loaded).hasSizeBetween(SAMPLES / 5, SAMPLES - 1);
      assertAll(admin, "lost", loaded, loaded.size(), "owner-lost", "");
      assertAll(admin, "lost", never, SAMPLES, "cold", "");
    }
  }

  private static void assertAll(
      CacheAdmin admin, String name, List<Long> missed, int count, String reason, String why)
      throws IOException {
    assertThat(missed).as(name).hasSize(count);
    TreeMap<String, List<Long>> byReason = new TreeMap<>();
    for (long index : missed) {
      JsonNode answer = explain(admin, name, index);
      assertThat(answer.path("index").asLong()).isEqualTo(index);
      String found = answer.path("lastMissReason").asText();
      assertThat(answer.at("/lastMiss/why").asText()).isEqualTo(why);
      byReason.computeIfAbsent(found, unused -> new ArrayList<>()).add(index);
    }
    assertThat(byReason).as(name).containsOnlyKeys(reason);
  }

  private static JsonNode explain(CacheAdmin admin, String name, long index) throws IOException {
    return new JsonMapper().readTree(admin.explain(name, index));
  }

  private void load(CachedSamples samples, int count) {
    for (int index = 0; index < count; index++) {
      try (SampleBatch batch =
          samples.read(new long[] {index}, ReadShape.COLLATED, pictures.loader())) {
        pictures.check(batch);
      }
    }
  }

  /** The samples that are not there, each read once, by a trainer that loads nothing. */
  private static List<Long> misses(CachedSamples samples, int count) {
    List<Long> missed = new ArrayList<>();
    for (long index = 0; index < count; index++) {
      try (SampleBatch batch = samples.read(new long[] {index}, ReadShape.RECORDS)) {
        if (batch.hits() == 0) {
          missed.add(index);
        }
      }
    }
    return missed;
  }

  private static void awaitAll(CachedSamples samples, int count) {
    await().untilAsserted(() -> assertThat(presentOf(samples, count)).isEqualTo(count));
  }

  /** In one batch: a sample that is there is not missed. */
  private static int presentOf(CachedSamples samples, int count) {
    try (SampleBatch batch =
        samples.read(LongStream.range(0, count).toArray(), ReadShape.RECORDS)) {
      return batch.hits();
    }
  }

  private static CachedSamples open(TrainingCache cache, String name, String pipeline, int length) {
    return cache.open(DatasetSpec.builder(name).pipeline(pipeline).sourceLength(length).build());
  }

  private static TrainingCache.Config config(LocalGrid grid) {
    return TrainingCache.Config.builder()
        .address("unix:" + grid.node(0).endpoints().socket())
        .build();
  }
}
