package io.trainingday.node;

import static org.assertj.core.api.Assertions.assertThat;

import io.trainingday.client.CacheAdmin;
import io.trainingday.client.DatasetSpec;
import io.trainingday.client.TrainingCache;
import io.trainingday.config.SettingKey;
import io.trainingday.processes.NodeProcess;
import java.nio.file.Path;
import java.time.Duration;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;

/** Cache nodes with a disk tier whose whole grid goes down and comes back. */
@ExtendWith(LocalGridLogs.class)
class GridRestartIT {
  private static final DatasetSpec SPEC =
      DatasetSpec.builder("pictures").pipeline("p").sourceLength(100).build();

  private static String datasets(NodeProcess node) {
    try (CacheAdmin admin = CacheAdmin.connect(config(node))) {
      return admin.datasets();
    }
  }

  private static TrainingCache.Config config(NodeProcess node) {
    return TrainingCache.Config.builder().address("unix:" + node.endpoints().socket()).build();
  }

  private static void open(LocalGrid grid, NodeProcess node) {
    try (TrainingCache cache = grid.connect(node)) {
      cache.open(SPEC).close();
    }
  }

  @Test
  void allKilled_oneAlone_isNotReadyAndSaysWhy_bothGoOnWhereTheyWere(@TempDir Path disks)
      throws Exception {
    try (LocalGrid grid =
        LocalGrid.of(2)
            .eachNode(
                (number, node) -> node.set(SettingKey.DISK_PATH, disks.resolve("disk-" + number)))
            .start()) {
      open(grid, grid.node(0));
      try (CacheAdmin admin = CacheAdmin.connect(config(grid.node(1)))) {
        assertThat(admin.publishChanged("pictures", 3, 4)).isEqualTo(1);
      }
      String before = datasets(grid.node(1));
      grid.kill(grid.node(0));
      grid.kill(grid.node(1));

      NodeProcess alone = grid.restart(grid.node(1));
      assertThat(grid.status(alone).path("notReady").asText())
          .contains("of the nodes that were in the grid last, [host-1-")
          .contains("no majority; without them it starts cold in ");
      assertThat(grid.metric(alone, "training_day_ready")).isZero();
      // A trainer goes on from the origin meanwhile, and makes nothing known.
      open(grid, alone);
      assertThat(datasets(alone)).isEqualTo("[]");

      NodeProcess other = grid.restart(grid.node(0));
      grid.awaitSettled();
      grid.awaitThat(
          "both serve",
          Duration.ofSeconds(30),
          () ->
              grid.status(alone).path("notReady").asText()
                  + grid.status(other).path("notReady").asText());
      assertThat(datasets(alone)).isEqualTo(before);
      assertThat(datasets(other)).isEqualTo(before);
      open(grid, alone);
    }
  }
}
