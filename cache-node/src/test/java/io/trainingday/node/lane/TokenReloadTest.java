package io.trainingday.node.lane;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.trainingday.client.CachedSamples;
import io.trainingday.client.DatasetSpec;
import io.trainingday.client.ReadShape;
import io.trainingday.client.SampleBatch;
import io.trainingday.client.TrainingCache;
import io.trainingday.config.SettingKey;
import io.trainingday.lane.LaneException.Code;
import io.trainingday.lane.LaneMessage;
import io.trainingday.lane.LaneMessage.Role;
import io.trainingday.node.CacheNode;
import io.trainingday.node.MountedFiles;
import io.trainingday.node.reload.ReloadStats;
import io.trainingday.record.DType;
import io.trainingday.record.SampleRecord;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.stream.LongStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Tokens that change under two nodes that run, as a Secret that both mount. */
@Timeout(180)
class TokenReloadTest {
  private static final String FILE = "tokens";
  private static final String WITHDRAWN =
      "the token of this connection was taken out of the node's lane.tokensFile, or grants less"
          + " now; set TRAINING_DAY_TOKEN to one that is there";

  private static final DatasetSpec PETS =
      DatasetSpec.builder("pets").pipeline("p").sourceLength(64).sourceDigest("digest").build();

  private final MountedFiles mounted;
  private final Path directory;
  private NodeGrid grid;
  private CacheNode node;
  private String lane;

  TokenReloadTest(@TempDir Path directory) throws IOException {
    this.directory = directory;
    mounted =
        new MountedFiles(
            directory.resolve("secret"),
            FILE,
            """
            old     team-a trainer
            stays   team-b trainer,admin
            peers-1 default peer
            """);
  }

  @BeforeEach
  void launch() throws IOException {
    grid =
        NodeGrid.launch(
            directory,
            2,
            settings -> settings.set(SettingKey.LANE_TOKENS_FILE, mounted.file(FILE)));
    node = grid.node(0);
    lane = node.laneAddress().orElseThrow();
  }

  @AfterEach
  void stop() {
    grid.close();
  }

  @Test
  void tokensThatChange_countAtOnceForWhoIsThereAndWhoComes() throws IOException {
    try (RawClient local = RawClient.greeted(node.socket());
        RawClient old = new RawClient(lane).greet(Role.TRAINER, "old");
        RawClient stays = new RawClient(lane).greet(Role.TRAINER, "stays");
        RawClient administrator = new RawClient(lane).greet(Role.ADMIN, "stays");
        TrainingCache cache =
            TrainingCache.connect(
                TrainingCache.Config.builder().address("unix:" + node.socket()).build());
        CachedSamples samples = cache.open(PETS);
        TrainingCache tcp =
            TrainingCache.connect(
                TrainingCache.Config.builder().address("tcp://" + lane).token("old").build());
        CachedSamples trains = tcp.open(PETS)) {
      long[] all = LongStream.range(0, 64).toArray();
      await().until(() -> hits(samples, all) == all.length);
      await().until(() -> hits(trains, all) == all.length);
      long before = tokenRefusals();

      mounted.swap(
          FILE,
          """
          new     team-a trainer
          stays   team-b trainer
          peers-2 default peer
          """);

      assertWithdrawn(old);
      assertWithdrawn(administrator);
      // A training goes on, from the origin.
      await().until(() -> hits(trains, all) == 0);
      assertThat(stays.call(new LaneMessage.StatusRequest()).message())
          .isInstanceOf(LaneMessage.StatusReply.class);
      assertThat(local.call(new LaneMessage.StatusRequest()).message())
          .isInstanceOf(LaneMessage.StatusReply.class);
      assertThat(tokenRefusals()).isGreaterThanOrEqualTo(before + 2);
      assertThat(greets("new")).isTrue();
      assertThat(greets("old")).isFalse();
      // Nodes show each other the new one, and what the other holds is read again.
      await().until(() -> hits(samples, all) == all.length);
      assertThat(grid.nodes()).allSatisfy(one -> await().until(() -> tokens(one).applied() == 1));

      mounted.swap(FILE, "new team-a\n");

      await().until(() -> tokens(node).refused() == 1);
      assertThat(tokens(node).refusal())
          .contains("lane.tokensFile=", "line 1 has 2 words, expected TOKEN TENANT ROLE[,ROLE]")
          .doesNotContain("new");
      assertThat(greets("new")).isTrue();
      assertThat(stays.call(new LaneMessage.StatusRequest()).message())
          .isInstanceOf(LaneMessage.StatusReply.class);
    }
  }

  private static void assertWithdrawn(RawClient client) throws IOException {
    LaneMessage.Failure told = client.receive(0).as(LaneMessage.Failure.class);
    assertThat(told.code()).isEqualTo(Code.DENIED);
    assertThat(told.message()).isEqualTo(WITHDRAWN);
    assertThat(client.isClosedByNode()).isTrue();
  }

  private boolean greets(String token) throws IOException {
    try (RawClient client = new RawClient(lane)) {
      return client.call(RawClient.hello(Role.TRAINER, token)).message()
          instanceof LaneMessage.HelloReply;
    }
  }

  private static int hits(CachedSamples samples, long[] indices) {
    SampleRecord record =
        SampleRecord.builder()
            .tensor("x", DType.U8, new long[] {1}, ByteBuffer.allocate(1))
            .build();
    try (SampleBatch batch = samples.read(indices, ReadShape.COLLATED, index -> record)) {
      return batch.hits();
    }
  }

  private long tokenRefusals() {
    return node.stats().lane().refusals().getOrDefault("token", 0L);
  }

  private static ReloadStats.Source tokens(CacheNode node) {
    return node.stats().reload().tokens();
  }
}
