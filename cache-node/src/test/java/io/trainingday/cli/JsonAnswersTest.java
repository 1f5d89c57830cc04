package io.trainingday.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.fasterxml.jackson.databind.JsonNode;
import io.trainingday.answer.Output;
import io.trainingday.client.CachedSamples;
import io.trainingday.client.DatasetSpec;
import io.trainingday.client.ReadShape;
import io.trainingday.client.SampleBatch;
import io.trainingday.client.TrainingCache;
import io.trainingday.config.SettingKey;
import io.trainingday.config.Settings.Tier;
import io.trainingday.node.CacheNode;
import io.trainingday.node.TestNodes;
import io.trainingday.node.disk.BitFlips;
import io.trainingday.record.DType;
import io.trainingday.record.SampleRecord;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What verbs print with {@code --json}, against the schema files. */
class JsonAnswersTest {
  private static final int SAMPLES = 8;

  private final Path directory;

  JsonAnswersTest(@TempDir Path directory) {
    this.directory = directory;
  }

  @Test
  @ChecksAnswer({
    "status",
    "datasets",
    "dataset",
    "version",
    "explain",
    "verify",
    "invalidate",
    "publish",
    "warm"
  })
  void answers_keepToTheirSchemas() throws IOException {
    Path disk = directory.resolve("disk");
    try (CacheNode node =
        CacheNode.launch(
            TestNodes.settings(directory)
                .set(SettingKey.DISK_PATH, disk)
                .setDataset("pets", SettingKey.DATASET_TIER, Tier.DISK)
                .build())) {
      String address = "unix:" + node.socket();
      load(address);
      await().until(() -> diskRecords(address) == SAMPLES);

      check("status", 0, "status", "--address", address);
      check("datasets", 0, "datasets", "--address", address);
      check("dataset", 0, "dataset", "pets", "policy=lru", "--address", address);
      check("version", 0, "version");
      JsonNode explained = check("explain", 0, "explain", "pets", "3", "--address", address);
      assertThat(explained.path("lastMissReason").asText()).isEqualTo("cold");
      assertThat(explained.at("/hosts/0/disk").asBoolean()).isTrue();
      JsonNode sound = check("verify", 0, "verify", "--address", address);
      assertThat(sound.path("sound").asBoolean()).isTrue();
      assertThat(sound.path("diskRecords").asInt()).isEqualTo(SAMPLES);

      assertThat(BitFlips.inEachRecord(disk.resolve("samples"), 32)).isEqualTo(SAMPLES);
      JsonNode damaged = check("verify", 1, "verify", "--address", address);
      assertThat(damaged.path("damaged").asInt()).isEqualTo(SAMPLES);
      assertThat(damaged.path("problems")).hasSize(SAMPLES);
      assertThat(damaged.at("/problems/0/problem").asText()).isEqualTo("damaged");
      CommandLineRun text = CommandLineRun.of("verify", "--address", address);
      assertThat(text.exitCode()).isEqualTo(1);
      assertThat(text.out()).contains("8 damaged", "damaged: sample 3 of 'default/pets'");

      check("invalidate", 0, "invalidate", "--yes", "pets", "1", "--address", address);
      check("publish", 0, "publish", "--yes", "pets", "--address", address);
      check("warm", 1, "warm", "pets", "--timeout", "1s", "--address", address);
      assertThat(CommandLineRun.of("explain", "cats", "3", "--address", address).exitCode())
          .isEqualTo(4);
      assertThat(CommandLineRun.of("explain", "pets", "8", "--address", address).err())
          .startsWith("error: index=8, allowed: 0–7");
    }
  }

  @Test
  @ChecksAnswer("config check")
  void configCheck_goodAndBad() throws IOException {
    Path good = Files.writeString(directory.resolve("good.yaml"), "memory:\n  maxSize: 4GiB\n");
    Path bad = Files.writeString(directory.resolve("bad.yaml"), "memory:\n  maxsize: 4GiB\n");

    JsonNode valid = check("config check", 0, "config", "check", good.toString());
    JsonNode wrong = check("config check", 2, "config", "check", bad.toString());

    assertThat(valid.at("/settings/memory.maxSize/value").asText()).isEqualTo("4GiB");
    assertThat(wrong.at("/problems/0/key").asText()).isEqualTo("memory.maxsize");
  }

  @Test
  @ChecksAnswer("config reference")
  void configReference_listsEveryKey() {
    JsonNode keys = check("config reference", 0, "config", "reference");

    assertThat(keys)
        .hasSize(SettingKey.all().size() + SettingKey.ofDataset().size())
        .extracting(key -> key.path("key").asText())
        .startsWith("grid.name")
        .contains("memory.maxSize", "datasets.<name>.tier");
    for (JsonNode key : keys) {
      switch (key.path("key").asText()) {
        case "grid.port" -> {
          assertThat(key.path("variable").asText()).isEqualTo("TRAINING_DAY_CONFIG_GRID_PORT");
          assertThat(key.path("min").asInt()).isEqualTo(1_024);
          assertThat(key.path("defaultValue").asText()).isEqualTo("47500");
          assertThat(key.path("effect").asText()).isEqualTo("at-start");
        }
        case "grid.zone" -> assertThat(key.path("defaultValue").isNull()).isTrue();
        case "datasets.<name>.policy" -> {
          assertThat(key.path("variable").asText()).isEqualTo("TRAINING_DAY_CONFIG_DATASETS");
          assertThat(key.path("choices")).hasSize(4);
        }
        default -> assertThat(key.path("meaning").asText()).isNotEmpty();
      }
    }
    CommandLineRun both = CommandLineRun.of("config", "reference", "--format", "xml", "--json");
    assertThat(both.exitCode()).isEqualTo(2);
    assertThat(both.err())
        .startsWith("error: --format=xml and --json exclude each other, leave one out");
  }

  @Test
  @ChecksAnswer({"serve", "drain"})
  void serve_saysWhereItServes_andServesUntilItIsDrained() throws Exception {
    Path socket = directory.resolve("lane.sock");
    Path file =
        Files.writeString(
            directory.resolve("node.yaml"),
            """
            grid: {name: answers, port: %d, communicationPort: %d, hostId: h1, partitions: 32}
            memory: {maxSize: 64MiB}
            lane: {socket: %s, maxRecordSize: 4MiB, tcp: {enabled: true, port: 0}}
            metrics: {port: 0}
            log: {level: error}
            """
                .formatted(TestNodes.freePort(), TestNodes.freePort(), socket));
    StringWriter out = new StringWriter();
    StringWriter err = new StringWriter();
    CompletableFuture<Integer> served =
        CompletableFuture.supplyAsync(
            () ->
                Main.run(
                    new PrintWriter(out),
                    new PrintWriter(err),
                    "serve",
                    "--json",
                    "--config",
                    file.toString()));
    await().until(() -> out.toString().contains("\n") || served.isDone());

    JsonNode answer = AnswerSchemas.check("serve", out.toString());
    assertThat(answer.path("pid").asLong()).isEqualTo(ProcessHandle.current().pid());
    assertThat(answer.path("grid").asText()).isEqualTo("answers");
    assertThat(answer.path("hostId").asText()).isEqualTo("h1");
    assertThat(answer.path("socket").asText()).isEqualTo(socket.toString());
    assertThat(answer.path("memoryBytes").asLong()).isEqualTo(64L << 20);
    String tcp = answer.path("tcp").asText();
    assertThat(CommandLineRun.of("status", "--address", tcp).exitCode()).isZero();

    check("drain", 0, "drain", "--yes", "--address", tcp);

    assertThat(served.get()).as(err.toString()).isZero();
    assertThat(out.toString().lines()).as("one line, and nothing else").hasSize(1);
  }

  @Test
  void everyVerb_showsTheExitCodes() {
    for (Exit exit : Exit.values()) {
      for (String verb : List.of("verify", "explain", "publish", "warm", "status")) {
        assertThat(CommandLineRun.of(verb, "--help").out().replaceAll("\\s+", " "))
            .contains(exit.code() + " " + exit.meaning());
      }
    }
  }

  private static long diskRecords(String address) throws IOException {
    return Output.MAPPER
        .readTree(CommandLineRun.of("status", "--json", "--address", address).out())
        .at("/disk/records")
        .asLong();
  }

  private static JsonNode check(String verb, int exitCode, String... args) {
    String[] all = new String[args.length + 1];
    System.arraycopy(args, 0, all, 0, args.length);
    all[args.length] = "--json";
    CommandLineRun run = CommandLineRun.of(all);
    assertThat(run.exitCode()).as(run.err()).isEqualTo(exitCode);
    return AnswerSchemas.check(verb, run.out());
  }

  private static void load(String address) {
    DatasetSpec spec = DatasetSpec.builder("pets").pipeline("p").sourceLength(SAMPLES).build();
    try (TrainingCache cache =
            TrainingCache.connect(TrainingCache.Config.builder().address(address).build());
        CachedSamples samples = cache.open(spec)) {
      for (long index = 0; index < SAMPLES; index++) {
        try (SampleBatch batch =
            samples.read(new long[] {index}, ReadShape.COLLATED, JsonAnswersTest::sample)) {
          assertThat(batch.originLoads()).isEqualTo(1);
        }
      }
    }
  }

  private static SampleRecord sample(long index) {
    return SampleRecord.builder()
        .tensor("x", DType.U8, new long[] {1}, ByteBuffer.wrap(new byte[] {(byte) index}))
        .build();
  }
}
