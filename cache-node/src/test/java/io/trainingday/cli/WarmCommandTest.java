package io.trainingday.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import io.trainingday.client.CachedSamples;
import io.trainingday.client.DatasetSpec;
import io.trainingday.client.ReadShape;
import io.trainingday.client.TrainingCache;
import io.trainingday.client.WarmProgress.State;
import io.trainingday.client.WarmUp;
import io.trainingday.node.CacheNode;
import io.trainingday.node.TestNodes;
import io.trainingday.record.DType;
import io.trainingday.record.SampleRecord;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.time.Duration;
import java.util.stream.LongStream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** {@code warm} against a node. */
class WarmCommandTest {
  private static CacheNode node;
  private static TrainingCache cache;

  @BeforeAll
  static void launch(@TempDir Path directory) {
    node = CacheNode.launch(TestNodes.settings(directory).build());
    cache =
        TrainingCache.connect(
            TrainingCache.Config.builder().address("unix:" + node.socket()).build());
    cache.open(spec("other", 1)).close();
  }

  @AfterAll
  static void stop() {
    cache.close();
    node.close();
  }

  @Test
  void warm_dataSetThatIsWarm_saysSo() throws Exception {
    try (WarmUp warmUp =
        cache.warm(spec("pets", 40), WarmCommandTest::sample, WarmUp.Options.builder().build())) {
      assertThat(warmUp.await(Duration.ofSeconds(20))).isTrue();
      assertThat(warmUp.state()).isEqualTo(State.COMPLETE);
    }
    countAgain();

    CommandLineRun run = run("pets", "--until", "95%", "--timeout", "20s");

    assertThat(run.err()).as("progress alone").doesNotContain("error");
    assertThat(run.exitCode()).isZero();
    assertThat(run.out())
        .isEqualTo("data set 'pets': 100.0%% of 40 samples are in the cache%n".formatted());
  }

  @Test
  void warm_dataSetThatIsNot_failsAndStillPrintsJson() throws Exception {
    try (CachedSamples samples = cache.open(spec("half", 40))) {
      samples
          .read(LongStream.range(0, 20).toArray(), ReadShape.COLLATED, WarmCommandTest::sample)
          .close();
    }
    countAgain();

    CommandLineRun run = run("half", "--until", "95%", "--stalled", "3s", "--json");

    assertThat(run.exitCode()).isEqualTo(1);
    JsonNode report = new JsonMapper().readTree(run.out());
    assertThat(report.path("samples").asLong()).isEqualTo(40);
    assertThat(report.path("warm").asLong()).isEqualTo(20);
    assertThat(report.path("percent").asDouble()).isEqualTo(50);
    assertThat(report.path("reached").asBoolean(true)).isFalse();
    assertThat(run.err())
        .contains("error: data set 'half': 50.0% of 40 samples are in the cache, and nothing has")
        .contains("come for 3s: is a trainer warming it, and is there room?");
  }

  @Test
  void warm_unknownDataSet_namesThoseThereAre() {
    CommandLineRun run = run("cats");

    assertThat(run.exitCode()).isEqualTo(1);
    assertThat(run.err())
        .startsWith("error: data set 'cats' is unknown, it is there once a trainer has opened it")
        .contains("other");
  }

  @ParameterizedTest
  @CsvSource({
    "--until, 0%, 'write a percentage over 0% and up to 100%, such as 95%'",
    "--until, 101%, 'write a percentage over 0% and up to 100%, such as 95%'",
    "--until, 0.95, 'write a percentage over 0% and up to 100%, such as 95%'",
    "--timeout, 30, 'write a whole number and a unit: ms, s, m, h or d'",
  })
  void warm_wrongOption_saysWhatIsRight(String option, String value, String problem) {
    CommandLineRun run = run("pets", option, value);

    assertThat(run.exitCode()).isEqualTo(2);
    assertThat(run.err()).contains(option + "=" + value).contains(problem);
  }

  /** Nodes count now and then, and when versions change. */
  private static void countAgain() {
    assertThat(
            CommandLineRun.of("publish", "other", "--yes", "--address", "unix:" + node.socket())
                .exitCode())
        .isZero();
  }

  private static CommandLineRun run(String... args) {
    String[] all = new String[args.length + 3];
    all[0] = "warm";
    System.arraycopy(args, 0, all, 1, args.length);
    all[args.length + 1] = "--address";
    all[args.length + 2] = "unix:" + node.socket();
    return CommandLineRun.of(all);
  }

  private static DatasetSpec spec(String name, int samples) {
    return DatasetSpec.builder(name).pipeline("p").sourceLength(samples).build();
  }

  private static SampleRecord sample(long index) {
    return SampleRecord.builder()
        .tensor("x", DType.U8, new long[] {1}, ByteBuffer.wrap(new byte[] {(byte) index}))
        .build();
  }
}
