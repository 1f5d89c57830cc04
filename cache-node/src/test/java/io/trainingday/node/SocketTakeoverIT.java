package io.trainingday.node;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import io.trainingday.client.CachedSamples;
import io.trainingday.client.ReadShape;
import io.trainingday.client.SampleBatch;
import io.trainingday.client.TrainingCache;
import io.trainingday.config.SettingKey;
import io.trainingday.config.Settings;
import io.trainingday.config.SettingsException;
import io.trainingday.node.lane.LaneStartException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.LongStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** One node at a time has a socket path; what a dead one left is taken over, nothing else is. */
class SocketTakeoverIT {
  private static final Pictures PICTURES = new Pictures(40_000);

  private Path directory;
  private SharedDirectory shared;

  @BeforeEach
  void makeDirectories(@TempDir Path socketDirectory) throws IOException {
    directory = socketDirectory;
    shared = new SharedDirectory();
  }

  @AfterEach
  void removeSharedDirectory() throws IOException {
    shared.close();
  }

  @Test
  void livingNode_sameSocket_isRefusedFromThisAndOtherProcesses() throws Exception {
    try (CacheNode node = CacheNode.launch(settings(directory, shared.path()))) {
      String refusal =
          "lane.socket=%s is served by another cache node (process %d); stop that one, attach to it, or give this one another lane.socket"
              .formatted(node.socket(), ProcessHandle.current().pid());

      assertThatThrownBy(() -> CacheNode.launch(settings(directory, shared.path())))
          .isInstanceOf(LaneStartException.class)
          .hasMessage(refusal);
      // After the refusal in this process, which must not have cost the first node its right.
      try (ChildJvm other = nodeJvm(directory)) {
        assertThat(other.hear()).isEqualTo(refusal);
        other.endsWell();
      }
      assertServes(node.socket());
    }
    assertThat(shared.nodes()).isEmpty();
  }

  @Test
  void livingNodes_otherNodesStart_keepTheirSharedMemory(@TempDir Path second, @TempDir Path third)
      throws Exception {
    try (CacheNode node = CacheNode.launch(settings(directory, shared.path()))) {
      List<Path> first = shared.nodes();
      assertThat(first).hasSize(1);
      try (CacheNode beside = CacheNode.launch(settings(second, shared.path()));
          ChildJvm other = nodeJvm(third)) {
        assertThat(other.hear()).isEqualTo("ready");
        assertThat(shared.nodes()).hasSize(3).containsAll(first);
        assertServes(beside.socket());
        assertServes(node.socket());
      }
    }
  }

  @Test
  void killedNode_sameSocket_isTakenOver() throws Exception {
    List<Path> dead;
    try (ChildJvm killed = nodeJvm(directory)) {
      assertThat(killed.hear()).isEqualTo("ready");
      assertServes(directory.resolve("lane.sock"));
      dead = shared.nodes();
      Files.write(dead.get(0).resolve("segment-1"), new byte[1 << 20]);
      killed.kill();
    }
    assertThat(directory.resolve("lane.sock")).exists();
    assertThat(shared.nodes()).hasSize(1);

    try (CacheNode node = CacheNode.launch(settings(directory, shared.path()))) {
      assertThat(shared.nodes()).hasSize(1).doesNotContainAnyElementsOf(dead);
      assertThat(shared.segments()).isEmpty();
      assertServes(node.socket());
    }
    assertThat(shared.nodes()).isEmpty();
    assertThat(directory.resolve("lane.sock")).doesNotExist();
  }

  @Test
  void regularFile_isRefusedAndLeftAlone() throws IOException {
    Path file = Files.writeString(directory.resolve("lane.sock"), "a thesis");

    assertThatThrownBy(() -> CacheNode.launch(settings(directory, shared.path())))
        .isInstanceOf(LaneStartException.class)
        .hasMessage(
            "lane.socket=%s exists and is no socket; it is left alone, give another path", file);
    assertThat(file).hasContent("a thesis");
  }

  @Test
  void overlongPath_isRefusedInWords() {
    Path path = Path.of("/" + "s".repeat(107));

    assertThatThrownBy(() -> Settings.builder().set(SettingKey.LANE_SOCKET, path).build())
        .isInstanceOf(SettingsException.class)
        .hasMessageContaining("lane.socket=" + path)
        .hasMessageContaining("a path of at most 107 bytes");
  }

  @Test
  void relativePath_overlongWhereTheNodeRuns_isRefusedInWords() {
    Path path = Path.of("s".repeat(107));

    Settings settings = Settings.builder().set(SettingKey.LANE_SOCKET, path).build();

    assertThatThrownBy(() -> CacheNode.launch(settings))
        .isInstanceOf(LaneStartException.class)
        .hasMessageContaining("lane.socket=" + path.toAbsolutePath())
        .hasMessageContaining(" bytes > 107, the most a Unix socket's path may have");
  }

  private static Settings settings(Path directory, Path segmentDirectory) {
    return TestNodes.settings(directory)
        .set(SettingKey.LANE_SEGMENT_DIRECTORY, segmentDirectory)
        .build();
  }

  private ChildJvm nodeJvm(Path socketDirectory) throws IOException {
    return new ChildJvm(ChildJvm.NODE_ARGUMENTS, Node.class, socketDirectory, shared.path());
  }

  private static void assertServes(Path socket) {
    try (TrainingCache cache =
            TrainingCache.connect(
                TrainingCache.Config.builder().address("unix:" + socket).build());
        CachedSamples samples = cache.open(Pictures.spec("pictures", 10))) {
      long[] all = LongStream.range(0, 10).toArray();
      samples.read(all, ReadShape.COLLATED, PICTURES.loader()).close();
      // What was loaded is sent to the node behind the batch.
      await()
          .untilAsserted(
              () -> {
                try (SampleBatch batch = samples.read(all, ReadShape.COLLATED)) {
                  assertThat(batch.hits()).isEqualTo(all.length);
                  PICTURES.check(batch);
                }
              });
      assertThat(samples.stats().slotBatches()).isPositive();
    }
  }

  /** A node until its standard input ends; says why when it is refused. */
  static final class Node {
    private Node() {}

    public static void main(String[] arguments) throws IOException {
      try (CacheNode node =
          CacheNode.launch(settings(Path.of(arguments[0]), Path.of(arguments[1])))) {
        ChildJvm.say("ready");
        if (System.in.read() >= 0) {
          throw new IllegalStateException("nobody writes to " + node.socket());
        }
      } catch (LaneStartException e) {
        ChildJvm.say(String.valueOf(e.getMessage()));
      }
    }
  }
}
