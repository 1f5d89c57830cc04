package io.trainingday.node;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import io.trainingday.client.CacheAdmin;
import io.trainingday.client.CachedSamples;
import io.trainingday.client.ReadShape;
import io.trainingday.client.SampleBatch;
import io.trainingday.client.TrainingCache;
import io.trainingday.config.Settings;
import io.trainingday.config.Settings.LogLevel;
import io.trainingday.config.format.SettingsReader;
import io.trainingday.node.reload.ReloadStats;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.function.Supplier;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** A node whose settings file changes while a trainer uses it. */
@Timeout(180)
class ReloadTest {
  private static final String FILE = "training-day.yaml";

  @Test
  void settingsThatChange_areTakenOverAsFarAsANodeThatRunsCan(@TempDir Path directory)
      throws IOException {
    MountedFiles mounted =
        new MountedFiles(
            directory.resolve("mount"), FILE, "datasets: {pets: {quota: 50%, backups: 1}}\n");
    Map<String, String> environment =
        SettingsReader.environment(TestNodes.settings(directory).build());
    Supplier<Settings> reader =
        () -> SettingsReader.ofFile(mounted.file(FILE)).withEnvironment(environment).read();
    List<LogLevel> levels = new CopyOnWriteArrayList<>();
    try (CacheNode node = CacheNode.launch(reader.get());
        TrainingCache cache = TrainingCache.connect(config(node));
        CachedSamples pets = cache.open(Pictures.spec("pets", 10));
        CacheAdmin admin = CacheAdmin.connect(config(node))) {
      node.followSettings(mounted.file(FILE), reader, levels::add);
      assertThat(kept(admin, "pets")).isEqualTo("policy=pin quota=50% backups=1");

      mounted.swap(
          FILE,
          """
          log: {level: debug}
          lane: {maxConnections: 7}
          datasets:
            pets: {quota: 25%, policy: lru, backups: 1}
            cats: {quota: 10%, policy: lfu}
          """);
      await()
          .untilAsserted(
              () -> assertThat(kept(admin, "pets")).isEqualTo("policy=lru quota=25% backups=1"));
      assertThat(levels).containsExactly(LogLevel.DEBUG);
      assertThat(reload(node).restartNeeded()).containsExactly("lane.maxConnections");
      assertThat(node.stats().lane().maxConnections()).isEqualTo(1024);
      read(pets);
      assertThat(node.stats().datasets().get(0).policy()).isEqualTo("lru");
      try (CachedSamples cats = cache.open(Pictures.spec("cats", 10))) {
        read(cats);
        assertThat(kept(admin, "cats")).isEqualTo("policy=lfu quota=10% backups=0");
      }

      // What did not change in the file is left as `training-day dataset` made it.
      admin.configure("pets", Map.of("policy", "random"));
      mounted.swap(
          FILE,
          """
          log: {level: debug}
          datasets:
            pets: {quota: 30%, policy: lru, backups: 0}
            cats: {quota: 10%, policy: lfu}
          """);
      await()
          .untilAsserted(
              () -> assertThat(kept(admin, "pets")).isEqualTo("policy=random quota=30% backups=1"));
      await().until(() -> !reload(node).notInForce().isEmpty());
      assertThat(reload(node).notInForce())
          .containsExactly(
              "datasets.pets.backups=0 <> backups=1 that \"default/pets\" is kept with, state the same");
      assertThat(reload(node).restartNeeded()).isEmpty();
      try (CachedSamples again = cache.open(Pictures.spec("pets", 10))) {
        read(again);
      }

      mounted.swap(FILE, "log: {level: loud}\ndatasets: {pets: {quota: 60%}}\n");
      await().until(() -> reload(node).settings().refused() == 1);
      assertThat(reload(node).settings().refusal())
          .contains("log.level=loud, allowed: error, warn, info, debug or trace");
      assertThat(kept(admin, "pets")).isEqualTo("policy=random quota=30% backups=1");
      assertThat(levels).containsExactly(LogLevel.DEBUG);
      read(pets);
    }
  }

  private static ReloadStats reload(CacheNode node) {
    return node.stats().reload();
  }

  private static TrainingCache.Config config(CacheNode node) {
    return TrainingCache.Config.builder().address("unix:" + node.socket()).build();
  }

  private static void read(CachedSamples samples) {
    Pictures pictures = new Pictures(1_000);
    try (SampleBatch batch =
        samples.read(new long[] {1, 2, 3}, ReadShape.COLLATED, pictures.loader())) {
      pictures.check(batch);
    }
  }

  private static String kept(CacheAdmin admin, String dataset) throws IOException {
    for (JsonNode one : new JsonMapper().readTree(admin.datasets())) {
      if (one.path("name").asText().equals(dataset)) {
        JsonNode settings = one.path("settings");
        return "policy=%s quota=%s backups=%s"
            .formatted(
                settings.path("policy").asText(),
                settings.path("quota").asText(),
                settings.path("backups").asText());
      }
    }
    return "unknown";
  }
}
