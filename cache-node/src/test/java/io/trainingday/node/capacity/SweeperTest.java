package io.trainingday.node.capacity;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.trainingday.grid.SampleKey;
import io.trainingday.node.fill.Fills.Submitted;
import java.util.concurrent.CountDownLatch;
import java.util.function.IntPredicate;
import org.junit.jupiter.api.Test;

class SweeperTest {
  private static final int SAMPLES = 300;
  private static final int RECORD_BYTES = 20_000;

  private static void fill(TestGrid grid, int backups, long version) throws InterruptedException {
    for (GridNode node : grid.nodes()) {
      for (long index = 0; index < SAMPLES; index++) {
        if (node.isPrimary(backups, index)) {
          assertThat(node.submit(backups, GridNode.key(index, version), RECORD_BYTES))
              .isEqualTo(Submitted.TAKEN);
        }
      }
    }
    for (GridNode node : grid.nodes()) {
      await().until(() -> node.fills.stats().inFlightBytes() == 0);
    }
  }

  private static void assertCopies(
      TestGrid grid, int backups, long version, IntPredicate expected) {
    for (long index = 0; index < SAMPLES; index++) {
      SampleKey key = GridNode.key(index, version);
      assertThat(grid.copies(backups, key)).as("copies of %s", key).matches(expected::test);
    }
  }

  @Test
  void versionsChanged_oldVersionsOnAllNodes_goAndTheirPagesAreFree() throws Exception {
    try (TestGrid grid = TestGrid.of(2)) {
      fill(grid, 1, 1);
      long used = grid.nodes().get(0).usedPages();
      fill(grid, 1, 0);
      fill(grid, 0, 0);
      assertCopies(grid, 1, 0, copies -> copies == 2);
      assertCopies(grid, 0, 0, copies -> copies == 1);

      for (GridNode node : grid.nodes()) {
        node.reachable = key -> key.sampleVersion() == 1;
        node.capacity.versionsChanged();
      }

      await()
          .untilAsserted(
              () -> {
                assertCopies(grid, 1, 0, copies -> copies == 0);
                assertCopies(grid, 0, 0, copies -> copies == 0);
              });
      assertCopies(grid, 1, 1, copies -> copies == 2);
      long reclaimed = 0;
      for (GridNode node : grid.nodes()) {
        Capacity.Stats stats = node.capacity.stats();
        assertThat(stats.reclaimedBytes()).isEqualTo(stats.reclaimed() * RECORD_BYTES);
        reclaimed += stats.reclaimed();
      }
      assertThat(reclaimed).isEqualTo(3 * SAMPLES);
      assertThat(grid.nodes().get(0).usedPages()).isLessThan(used + 50);
      grid.assertNoTroubles();
    }
  }

  @Test
  void uses_countWhatIsHeldByDatasetAndPipeline() throws Exception {
    try (TestGrid grid = TestGrid.of(1)) {
      GridNode node = grid.nodes().get(0);
      fill(grid, 0, 0);
      fill(grid, 0, 1);
      SampleKey other = new SampleKey(7, 1, 8, 0, 0, 1);
      assertThat(node.submit(2, other, 123)).isEqualTo(Submitted.TAKEN);
      await().until(() -> node.stores.of(2).contains(other));
      node.capacity.versionsChanged();

      SampleKey one = GridNode.key(0);
      await()
          .untilAsserted(
              () ->
                  assertThat(node.capacity.uses())
                      .containsExactlyInAnyOrder(
                          new Capacity.Use(
                              one.dataset(),
                              one.pipeline(),
                              2 * SAMPLES,
                              2L * SAMPLES * RECORD_BYTES),
                          new Capacity.Use(7, 8, 1, 123)));
    }
  }

  /** Versions may not be at hand just then. */
  @Test
  void sweep_predicateThatFails_dropsNothingAndGoesOnLater() throws Exception {
    try (TestGrid grid = TestGrid.of(1)) {
      GridNode node = grid.nodes().get(0);
      fill(grid, 0, 0);
      CountDownLatch asked = new CountDownLatch(1);
      node.reachable =
          key -> {
            asked.countDown();
            throw new IllegalStateException("thrown on purpose");
          };
      node.capacity.versionsChanged();
      asked.await();
      assertCopies(grid, 0, 0, copies -> copies == 1);

      node.reachable = key -> false;
      node.capacity.versionsChanged();
      await().untilAsserted(() -> assertCopies(grid, 0, 0, copies -> copies == 0));
    }
  }
}
