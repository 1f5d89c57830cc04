package io.trainingday.node.capacity;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.trainingday.config.Portion;
import io.trainingday.config.Settings.Policy;
import io.trainingday.config.Settings.Tier;
import io.trainingday.grid.SampleKey;
import io.trainingday.node.fill.Fills.Submitted;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.Test;

/** Records that are kept twice go twice, and both nodes make room for the other's copies. */
class CopyEvictionTest {
  private static final int RECORD_BYTES = 150_528;
  private static final int SAMPLES = 1_000;

  /** Until it is taken: fills that come faster than room is made are refused at first. */
  private static void fill(GridNode node, SampleKey key) {
    await()
        .pollInSameThread()
        .pollDelay(Duration.ZERO)
        .pollInterval(Duration.ofMillis(1))
        .until(() -> node.submit(1, key, RECORD_BYTES) == Submitted.TAKEN);
  }

  @Test
  void lru_withBackups_fillsGoOnAndCopiesGoWithTheirPrimary() throws Exception {
    ExecutorService threads = Executors.newCachedThreadPool();
    try (TestGrid grid = TestGrid.of(2)) {
      SampleKey any = GridNode.key(0);
      DatasetTerms terms =
          new DatasetTerms(
              "t/copies",
              SAMPLES,
              1,
              Tier.MEMORY,
              Policy.LRU,
              Portion.ofPercent(100),
              Portion.ofPercent(0));
      grid.nodes().forEach(node -> node.terms.put(any.dataset(), terms));
      grid.nodes().get(0).capacity.termsChanged(any.dataset());

      List<Future<?>> owners = new ArrayList<>();
      for (GridNode node : grid.nodes()) {
        owners.add(
            threads.submit(
                () -> {
                  for (long index = 0; index < SAMPLES; index++) {
                    if (node.isPrimary(1, index)) {
                      fill(node, GridNode.key(index));
                    }
                  }
                  return null;
                }));
      }
      for (Future<?> owner : owners) {
        owner.get();
      }
      for (GridNode node : grid.nodes()) {
        await().until(() -> node.fills.stats().inFlightBytes() == 0);
      }

      // Each node holds all: some 370 records of 1,000. Some may be on their way out, ahead of
      // fills that do not come.
      await()
          .untilAsserted(
              () -> {
                int held = 0;
                int single = 0;
                for (long index = 0; index < SAMPLES; index++) {
                  int copies = grid.copies(1, GridNode.key(index));
                  held += copies > 0 ? 1 : 0;
                  single += copies == 1 ? 1 : 0;
                }
                assertThat(held).isBetween(200, 450);
                assertThat(single)
                    .as("copies without their primary, or the other way round")
                    .isZero();
              });
      for (GridNode node : grid.nodes()) {
        assertThat(node.capacity.shares().get(0).evictions()).isPositive();
      }
      grid.assertNoTroubles();
    } finally {
      threads.shutdownNow();
    }
  }
}
