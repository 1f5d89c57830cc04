package io.trainingday.node;

import static org.assertj.core.api.Assertions.assertThat;

import io.trainingday.config.SettingKey;
import io.trainingday.processes.NodeProcess;
import java.time.Duration;
import java.util.List;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/**
 * Readers on all hosts, a publisher, fills in flight, and nodes that are killed, paused, cut off
 * and added, once each: nothing that is read is stale or wrong, no trainer gets an error or hangs.
 * For a longer run: {@code -Dconsistency.seconds=600}.
 */
@ExtendWith(LocalGridLogs.class)
class ConsistencyIT {
  private static final long SECONDS = Long.getLong("consistency.seconds", 0);
  private static final int KINDS = 3;
  private static final Duration FAILURE_DETECTION = Duration.ofSeconds(2);
  private static final Duration SERVING_LEASE = Duration.ofSeconds(1);

  private final Random random = new Random(7);

  @Test
  void reads_whileNodesDiePauseAndJoin_areNeverStale() throws Exception {
    try (LocalGrid grid = grid().start();
        ConsistencyCheck check = new ConsistencyCheck(grid)) {
      long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(SECONDS);
      for (int turn = 0; turn < KINDS || System.nanoTime() - end < 0; turn++) {
        check.awaitReads(10_000);
        switch (turn % KINDS) {
          case 0 -> killAndRestart(grid, check);
          case 1 -> pausePastDetection(grid, check);
          default -> joinAndLeave(grid, check);
        }
        grid.awaitSettled();
      }
      verify(check);
    }
  }

  @Tag("root")
  @Test
  void reads_acrossACutNetwork_areNeverStale() throws Exception {
    try (NetworkNamespaces network = new NetworkNamespaces();
        LocalGrid grid = grid().places(network).start();
        ConsistencyCheck check = new ConsistencyCheck(grid)) {
      check.awaitReads(10_000);
      int alone = 1 + random.nextInt(3);
      NodeProcess minority = grid.node(alone - 1);
      network.cut(alone);
      check.awaitPublishes(5);
      check.awaitReads(20_000);
      network.heal();
      // Rings never merge by themselves: the one that lost is ended by whoever watches over it.
      grid.kill(minority);
      grid.restart(minority);
      grid.awaitSettled();
      check.awaitReads(10_000);
      verify(check);
    }
  }

  @Test
  void check_ofAGridWhoseFenceIsBroken_findsStaleReads() throws Exception {
    try (LocalGrid grid = LocalGrid.of(2).start();
        ConsistencyCheck check = new ConsistencyCheck(grid, true)) {
      check.awaitProblem();

      assertThat(check.finish().problems())
          .isNotEmpty()
          .allSatisfy(problem -> assertThat(problem).contains("was read after its change"));
    }
  }

  private static LocalGrid.Builder grid() {
    return LocalGrid.of(3)
        .set(SettingKey.GRID_FAILURE_DETECTION_TIMEOUT, FAILURE_DETECTION)
        .set(SettingKey.VERSIONS_SERVING_LEASE, SERVING_LEASE)
        .setDataset(ConsistencyCheck.NAME, SettingKey.DATASET_BACKUPS, 1);
  }

  private NodeProcess any(LocalGrid grid) {
    List<NodeProcess> living = grid.living();
    return living.get(random.nextInt(living.size()));
  }

  private void killAndRestart(LocalGrid grid, ConsistencyCheck check) throws Exception {
    NodeProcess victim = any(grid);
    grid.kill(victim);
    check.awaitPublishes(2);
    check.awaitReads(10_000);
    grid.restart(victim);
  }

  private void pausePastDetection(LocalGrid grid, ConsistencyCheck check) throws Exception {
    NodeProcess victim = any(grid);
    grid.pause(victim);
    // A publish is over only when the paused node is out, so it wakes up behind its time.
    check.awaitPublishes(2);
    grid.resume(victim);
    check.awaitReads(20_000);
    if (victim.process().isAlive()) {
      grid.kill(victim);
    }
    grid.restart(victim);
  }

  private static void joinAndLeave(LocalGrid grid, ConsistencyCheck check) throws Exception {
    NodeProcess joined = grid.add();
    grid.awaitSettled();
    check.awaitReads(10_000);
    grid.stop(joined);
  }

  private static void verify(ConsistencyCheck check) throws Exception {
    ConsistencyCheck.Result result = check.finish();
    System.out.println(result);
    assertThat(result.problems()).isEmpty();
    assertThat(result.longestReadMillis()).isLessThan(ConsistencyCheck.LONGEST_READ.toMillis());
    // Else nothing was checked but the origin.
    assertThat(result.hits()).isGreaterThan(result.reads() / 10);
  }
}
