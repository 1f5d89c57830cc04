package io.trainingday.node;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.trainingday.processes.NodeProcess;
import io.trainingday.processes.ProcessException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/** The fixture itself: what it promises to tests of several nodes. */
@ExtendWith(LocalGridLogs.class)
class LocalGridIT {
  @Test
  void nodes_comeAndGo_andNothingIsLeft() throws Exception {
    Path directory;
    List<NodeProcess> all;
    try (LocalGrid grid = LocalGrid.of(2).start()) {
      directory = grid.directory();
      assertThat(grid.status(grid.node(1)).path("hostId").asText()).isEqualTo("host-2");
      assertThat(grid.metric(grid.node(0), "training_day_ready")).isEqualTo(1);
      NodeProcess first = grid.node(0);

      NodeProcess third = grid.add();
      grid.awaitSettled();
      assertThat(grid.living()).extracting(NodeProcess::toString).endsWith("node-3");

      grid.kill(first);
      assertThat(first.process().exitCode()).hasValue(128 + 9);
      grid.awaitSettled();

      NodeProcess again = grid.restart(first);
      grid.awaitSettled();
      assertThat(again.endpoints().socket()).isEqualTo(first.endpoints().socket());
      assertThat(again.endpoints().tcp()).isEqualTo(first.endpoints().tcp());
      assertThat(again.endpoints().pid()).isNotEqualTo(first.endpoints().pid());

      grid.stop(third);
      assertThat(third.process().exitCode()).hasValue(0);
      grid.awaitSettled();
      all = grid.nodes();
    }
    assertThat(directory).doesNotExist();
    assertThat(all).noneMatch(node -> node.process().isAlive());
  }

  @Test
  void pausedNode_answersAgainWhenItIsResumed() throws Exception {
    try (LocalGrid grid = LocalGrid.of(1).start()) {
      NodeProcess node = grid.node(0);

      grid.pause(node);
      assertThat(grid.living()).isEmpty();
      assertThat(Files.readString(Path.of("/proc/" + node.process().pid() + "/stat")))
          .contains(") T ");

      grid.resume(node);
      assertThat(grid.status(node).path("notReady").asText()).isEmpty();
      grid.awaitSettled();

      grid.pause(node);
    }
  }

  @Test
  void condition_thatNeverComes_isToldWithTheLogs() throws Exception {
    try (LocalGrid grid = LocalGrid.of(1).start()) {
      assertThatThrownBy(() -> grid.awaitThat("snow", Duration.ZERO, () -> "it is summer"))
          .isInstanceOf(AssertionError.class)
          .hasMessageStartingWith("not within 0 s: snow: it is summer")
          .hasMessageContaining("node-1:\n")
          .hasMessageContaining("CacheNode: ");
    }
  }

  @Test
  void node_thatCannotStart_isToldWithItsLog() {
    assertThatThrownBy(() -> LocalGrid.of(1).jvmOption("-Xmx2m").start())
        .isInstanceOf(ProcessException.class)
        .hasMessageStartingWith("node-1 (process ")
        .hasMessageContaining("has ended with exit code 1:\n");
  }

  @Tag("root")
  @Test
  void nodes_inNetworkNamespaces_areCutApartAndKnowIt() throws Exception {
    try (NetworkNamespaces network = new NetworkNamespaces();
        LocalGrid grid = LocalGrid.of(3).places(network).start()) {
      network.cut(1);
      grid.awaitThat(
          "the others take host-1 for dead",
          Duration.ofSeconds(60),
          () -> {
            int known = grid.node(1).members().members().size();
            return known == 2 ? "" : "host-2 knows " + known;
          });
      network.heal();
    }
  }
}
