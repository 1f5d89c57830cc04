package io.trainingday.node.versions;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import io.trainingday.grid.SampleKey;
import io.trainingday.node.TestNodes;
import io.trainingday.node.recovery.Electorate;
import io.trainingday.node.recovery.Kept;
import io.trainingday.node.recovery.KeptFiles;
import io.trainingday.node.recovery.Life;
import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What one node keeps on its disk. Several nodes: {@link RecoveryIT}. */
class RecoveryTest {
  private static final int PORT = TestNodes.freePorts(VersionNode.PORTS);
  private static final Duration WAIT = Duration.ofMinutes(10);
  private static final SourceIdentity SOURCE = new SourceIdentity(40_000, "aa11");

  private final Path directory;

  RecoveryTest(@TempDir Path directory) {
    this.directory = directory;
  }

  private VersionNode start() {
    return new VersionNode(0, PORT, directory, WAIT, line -> "?");
  }

  private static OpenDataset open(VersionNode node) {
    return node.keys().open("alice", "d", SOURCE, "p", Map.of("validation", "none"));
  }

  private static DatasetView served(OpenDataset open) {
    return Objects.requireNonNull(open.servableView());
  }

  private Path life() throws IOException {
    try (DirectoryStream<Path> all =
        Files.newDirectoryStream(directory.resolve("kept-0"), Files::isDirectory)) {
      return all.iterator().next();
    }
  }

  @Test
  void node_stoppedAndStarted_goesOnWhereItWas() {
    long incarnation;
    long[] all = LongStream.range(0, 40_000).toArray();
    String[] stamps = LongStream.of(all).mapToObj(i -> "s" + i).toArray(String[]::new);
    try (VersionNode node = start()) {
      OpenDataset open = open(node);
      open.checkSchema(9, "image: u8, 3 dimensions");
      incarnation = served(open).incarnation();
      assertThat(node.keys().publishManifest("alice", "d", "m1", all, stamps)).isZero();
      assertThat(node.keys().publishChanged("alice", "d", "r1", new long[] {5, 39_999}))
          .isEqualTo(1);
    }
    try (VersionNode node = start()) {
      OpenDataset open = open(node);
      DatasetView view = served(open);
      assertThat(view.incarnation()).isEqualTo(incarnation);
      assertThat(view.generation()).isEqualTo(1);
      assertThat(LongStream.of(all).filter(i -> view.sampleVersion(i) != 0))
          .containsExactly(5L, 39_999L);
      assertThat(open.settings()).containsEntry("validation", "none");
      assertThatThrownBy(() -> open.checkSchema(8, "label: i64, 0 dimensions"))
          .hasMessageContaining("image");
      stamps[20_000] = "other";
      assertThat(node.keys().publishManifest("alice", "d", "m2", all, stamps)).isEqualTo(2);
      assertThat(LongStream.of(all).filter(i -> served(open).sampleVersion(i) != 0))
          .containsExactly(5L, 20_000L, 39_999L);
    }
  }

  @Test
  void publish_thatTheDiskDoesNotTake_returnsOnlyWhenItDoes() throws Exception {
    try (VersionNode node = start()) {
      open(node);
      Path life = life();
      Path away = life.resolveSibling("away");
      Files.move(life, away);

      CompletableFuture<Long> publish =
          CompletableFuture.supplyAsync(
              () -> node.keys().publishChanged("alice", "d", "r1", new long[] {5}));
      assertThatThrownBy(() -> publish.get(400, TimeUnit.MILLISECONDS))
          .isInstanceOf(TimeoutException.class);

      Files.move(away, life);
      assertThat(publish.get(20, TimeUnit.SECONDS)).isEqualTo(1);
    }
  }

  /** What was answered is still so after all nodes went down at once. */
  @Test
  void change_thatTheDiskDoesNotTake_returnsOnlyWhenItDoes() throws Exception {
    try (VersionNode node = start()) {
      open(node);
      Path life = life();
      Path away = life.resolveSibling("away");
      Files.move(life, away);

      CompletableFuture<Map<String, String>> change =
          CompletableFuture.supplyAsync(
              () -> node.keys().change("alice", "d", Map.of("policy", "lru")));
      assertThatThrownBy(() -> change.get(400, TimeUnit.MILLISECONDS))
          .isInstanceOf(TimeoutException.class);

      Files.move(away, life);
      assertThat(change.get(20, TimeUnit.SECONDS)).containsEntry("policy", "lru");
    }
    try (VersionNode node = start()) {
      assertThat(open(node).settings()).containsEntry("policy", "lru");
    }
  }

  @Test
  void isReachable_whileOthersAreWaitedFor_givesNothingUp() throws Exception {
    String self = VersionNode.name(0, PORT);
    Life life = new Life(1, 2, 3);
    Electorate two = new Electorate(life, 4, Set.of(self, "other"));
    try (KeptFiles files = KeptFiles.open(directory.resolve("kept-0"))) {
      files.keep(new Kept(self, life, Set.of(), two, List.of(), List.of(), false));
    }
    SampleKey key = new SampleKey(1, 2, 3, 4, 0, 5);
    try (VersionNode node = start()) {
      await().until(() -> node.recovery().trouble().orElse("").contains("no majority"));
      assertThat(node.keys().isReachable(key)).isTrue();
      assertThatThrownBy(() -> open(node))
          .isInstanceOf(GridUnavailableException.class)
          .hasMessageStartingWith("open of data set \"alice/d\": not yet, repeat it: of the nodes");
    }
    // It has promised nothing and dropped nothing.
    try (KeptFiles files = KeptFiles.open(directory.resolve("kept-0"))) {
      assertThat(files.kept().orElseThrow().formed()).isEqualTo(two);
    }
  }
}
