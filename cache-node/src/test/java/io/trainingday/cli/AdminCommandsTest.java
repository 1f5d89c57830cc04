package io.trainingday.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.json.JsonMapper;
import io.trainingday.client.CachedSamples;
import io.trainingday.client.DatasetSpec;
import io.trainingday.client.ReadShape;
import io.trainingday.client.SampleBatch;
import io.trainingday.client.TrainingCache;
import io.trainingday.config.SettingKey;
import io.trainingday.node.CacheNode;
import io.trainingday.node.TestNodes;
import io.trainingday.record.DType;
import io.trainingday.record.SampleRecord;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** {@code publish}, {@code invalidate} and {@code datasets} against a node. */
class AdminCommandsTest {
  private static final long[] ALL = {0, 1, 2, 3};

  private static CacheNode node;
  private static String address;

  private final Path directory;

  AdminCommandsTest(@TempDir Path directory) {
    this.directory = directory;
  }

  @BeforeAll
  static void launch(@TempDir Path shared) throws IOException {
    Path tokens = Files.writeString(shared.resolve("tokens"), "only-trainers default trainer");
    node =
        CacheNode.launch(
            TestNodes.settings(shared)
                .set(SettingKey.LANE_TCP_ENABLED, true)
                .set(SettingKey.LANE_TCP_PORT, 0)
                .set(SettingKey.LANE_TOKENS_FILE, tokens)
                .build());
    address = "unix:" + node.socket();
  }

  @AfterAll
  static void stop() {
    node.close();
  }

  @Test
  void publishAndInvalidate_loadWhatTheySayAgain() throws IOException {
    Path changed = Files.writeString(directory.resolve("changed.txt"), "1\n\n 3 \n");
    assertThat(loads("pets")).isEqualTo(4);
    assertThat(loads("pets")).isZero();

    CommandLineRun run = run("publish", "pets", "--changed", changed.toString());
    assertThat(run.err()).isEmpty();
    assertThat(run.exitCode()).isZero();
    assertThat(run.out()).isEqualTo("data set 'pets' is at generation 1%n".formatted());
    assertThat(loads("pets")).isEqualTo(2);

    assertThat(run("invalidate", "--yes", "pets", "0", "2", "3").out())
        .isEqualTo("data set 'pets' is at generation 2%n".formatted());
    assertThat(loads("pets")).isEqualTo(3);

    assertThat(
            run("publish", "pets", "--source-length", "4", "--source-digest", "", "--yes")
                .exitCode())
        .isZero();
    assertThat(loads("pets")).isEqualTo(4);
  }

  @Test
  void datasets_json_isWhatTheGridSays() throws IOException {
    assertThat(new JsonMapper().readTree(run("datasets", "--json").out()).isArray()).isTrue();
    assertThat(run("datasets").exitCode()).isZero();
  }

  @Test
  void dataset_policy_isChangedWhileInUse() {
    assertThat(loads("cached")).isEqualTo(4);

    CommandLineRun run = run("dataset", "cached", "policy=lru", "quota=50%");

    assertThat(run.err()).isEmpty();
    assertThat(run.exitCode()).isZero();
    assertThat(run.out().lines())
        .startsWith("data set 'cached' is kept with")
        .contains("  policy=lru", "  quota=50%", "  guaranteed=0%", "  backups=0");
    assertThat(run("status").out()).containsPattern("cached +lru +4 ");
    assertThat(loads("cached")).isZero();

    CommandLineRun wrong = run("dataset", "cached", "policy=fifo");
    assertThat(wrong.exitCode()).isEqualTo(4);
    assertThat(wrong.err())
        .isEqualTo("error: policy=fifo, allowed: pin, lru, lfu or random%n".formatted());
  }

  @Test
  void publish_unknownDataset_saysSo() {
    CommandLineRun run = run("invalidate", "--yes", "cats", "1");

    assertThat(run.exitCode()).isEqualTo(4);
    assertThat(run.err())
        .isEqualTo(
            "error: data set \"default/cats\" is unknown, open it before publishing%n".formatted());
  }

  @Test
  void publish_withoutTheRole_saysSo() {
    String lane = "tcp://" + node.laneAddress().orElseThrow();

    CommandLineRun run = CommandLineRun.of("publish", "pets", "--yes", "--address", lane);

    assertThat(run.exitCode()).isEqualTo(4);
    assertThat(run.err())
        .isEqualTo(
            "error: the cache node at %s refuses: no token was shown; set TRAINING_DAY_TOKEN to one in the node's lane.tokensFile%n"
                .formatted(lane));
    assertThat(CommandLineRun.of("status", "--address", lane)).isEqualTo(run);
  }

  @Test
  void invalidate_asksFirst() {
    assertThat(loads("asked")).isEqualTo(4);

    CommandLineRun nobody = run("invalidate", "asked", "1", "2");
    assertThat(nobody.exitCode()).isEqualTo(5);
    assertThat(nobody.out()).isEmpty();
    assertThat(nobody.err())
        .isEqualTo(
            "error: this would make 2 samples of data set 'asked' stale, each to be loaded again when it is read next, and there is no terminal to ask at; add --yes%n"
                .formatted());

    CommandLineRun no =
        CommandLineRun.answering("", "invalidate", "asked", "1", "--address", address);
    assertThat(no.exitCode()).isEqualTo(5);
    assertThat(no.err())
        .startsWith("This would make 1 sample of data set 'asked' stale")
        .endsWith("; go on? [y/N] error: nothing was done%n".formatted());
    assertThat(loads("asked")).isZero();

    assertThat(
            CommandLineRun.answering("y", "invalidate", "asked", "1", "--address", address)
                .exitCode())
        .isZero();
    assertThat(loads("asked")).isEqualTo(1);
  }

  @Test
  void publish_ofAllSamples_asksFirst() {
    assertThat(loads("whole")).isEqualTo(4);

    CommandLineRun nobody = run("publish", "whole");
    assertThat(nobody.exitCode()).isEqualTo(5);
    assertThat(nobody.err()).contains("would make 4 samples of data set 'whole' stale", "--yes");
    assertThat(loads("whole")).isZero();

    assertThat(CommandLineRun.answering("YES", "publish", "whole", "--address", address).exitCode())
        .isZero();
    assertThat(loads("whole")).isEqualTo(4);
  }

  @ParameterizedTest
  @CsvSource(
      quoteCharacter = '\0',
      delimiter = '|',
      textBlock =
          """
          --changed  | 1;x2;3         | line 2: 'x2' is no index, expected a number of 0 or more
          --changed  | 1;;-5          | line 3: index=-5, expected a number of 0 or more
          --changed  | 4;5;;4         | line 4: index=4 stands in line 1 already
          --changed  | 1,abc          | line 1: '1,abc' is no index, expected a number of 0 or more
          --changed  | ;              | names no sample, expected one a line
          --manifest | 1,a;2          | line 2: '2' has no stamp, expected index,stamp
          --manifest | 1,a;2,         | line 2: a stamp of 0 bytes, allowed: 1–1024
          --manifest | 1,a;b,a        | line 2: 'b' is no index, expected a number of 0 or more
          --manifest | 7,a;8,b;7,a    | line 3: index=7 stands in line 1 already
          """)
  void publish_wrongFile_namesFileAndLine(String option, String lines, String problem)
      throws IOException {
    Path file =
        Files.writeString(directory.resolve("samples.txt"), lines.strip().replace(';', '\n'));

    CommandLineRun run = run("publish", "pets", option, file.toString());

    assertThat(run.exitCode()).isEqualTo(2);
    assertThat(run.out()).isEmpty();
    String separator = problem.startsWith("line") ? ", " : " ";
    assertThat(run.err()).isEqualTo("error: %s%s%s%n".formatted(file, separator, problem));
  }

  @Test
  void publish_fileThatCannotBeRead_namesIt() throws IOException {
    Path none = directory.resolve("none.txt");
    assertThat(run("publish", "pets", "--changed", none.toString()).err())
        .isEqualTo(
            "error: %s cannot be read (there is none); give a file with one sample a line%n"
                .formatted(none));

    Path noText = Files.write(directory.resolve("no.txt"), new byte[] {(byte) 0xC3, 0x28});
    assertThat(run("publish", "pets", "--changed", noText.toString()).err())
        .isEqualTo("error: %s is no UTF-8 text%n".formatted(noText));
  }

  @Test
  void publish_changedAndManifest_excludeEachOther() {
    CommandLineRun run = run("publish", "pets", "--changed", "a", "--manifest", "b");

    assertThat(run.exitCode()).isEqualTo(2);
    assertThat(run.err()).contains("--changed", "--manifest", "mutually exclusive");
  }

  @Test
  void sampleFile_stamps_mayHoldCommas() throws IOException {
    Path file = Files.writeString(directory.resolve("m.csv"), "5, 2024-01-01,17 \n3,\"x\"\n");

    SampleFile samples = SampleFile.ofStamps(file);

    assertThat(samples.indices()).containsExactly(5, 3);
    assertThat(samples.stamps()).containsExactly("2024-01-01,17", "\"x\"");
  }

  /** How many samples had to be loaded. */
  private static long loads(String name) {
    DatasetSpec spec = DatasetSpec.builder(name).pipeline("p").sourceLength(4).build();
    try (TrainingCache cache =
            TrainingCache.connect(TrainingCache.Config.builder().address(address).build());
        CachedSamples samples = cache.open(spec);
        SampleBatch batch = samples.read(ALL, ReadShape.COLLATED, AdminCommandsTest::sample)) {
      return batch.originLoads();
    }
  }

  private static SampleRecord sample(long index) {
    return SampleRecord.builder()
        .tensor("x", DType.U8, new long[] {1}, ByteBuffer.wrap(new byte[] {(byte) index}))
        .build();
  }

  private static CommandLineRun run(String... args) {
    String[] all = new String[args.length + 2];
    System.arraycopy(args, 0, all, 0, args.length);
    all[args.length] = "--address";
    all[args.length + 1] = address;
    return CommandLineRun.of(all);
  }
}
