package io.trainingday.node.capacity;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.trainingday.config.Portion;
import io.trainingday.config.Settings.Policy;
import io.trainingday.config.Settings.Tier;
import io.trainingday.grid.SampleKey;
import io.trainingday.node.fill.Fills.Submitted;
import io.trainingday.node.store.RecordStores.Held;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What fits stays, whoever comes and goes: records are given up for fills, not for bookkeeping. */
class EvictionRebalanceTest {
  private static final int RECORD_BYTES = 100_000;
  private static final int FILLS_BESIDE = 40;

  private final AtomicInteger nextIndex = new AtomicInteger();

  /** Each has backups, so that two nodes, and one alone, hold as much as all of them. */
  @ParameterizedTest
  @ValueSource(ints = {2, 3})
  void lru_withBackups_aNodeIsRestarted_whatFitsStays(int nodes) throws Exception {
    try (TestGrid grid = TestGrid.of(nodes)) {
      grid.nodes().forEach(node -> knows(node, Policy.LRU, 1));
      fillUntilEvicted(grid, 1);
      long before = held(grid, 1);

      grid.stop(0);
      grid.awaitSettled();
      fillABit(grid, 1);
      assertThat(held(grid, 1)).as("one has left").isGreaterThan(before * 85 / 100);

      knows(grid.start(0), Policy.LRU, 1);
      fillABit(grid, 1);
      grid.awaitSettled();
      fillABit(grid, 1);
      assertThat(held(grid, 1)).as("it is back").isGreaterThan(before * 85 / 100);
      grid.assertNoTroubles();
    }
  }

  /** A single node keeps no copies, whatever its data sets want: all of its memory is theirs. */
  @Test
  void pin_withBackups_alone_usesAllOfItsMemory() throws Exception {
    try (TestGrid grid = TestGrid.of(1)) {
      GridNode node = grid.nodes().get(0);
      knows(node, Policy.PIN, 1);
      int refused = 0;
      while (refused < 20) {
        refused += submit(node, 1) == Submitted.TAKEN ? 0 : 1;
      }
      assertThat(node.usedPages()).isGreaterThan(node.limitPages() * 85 / 100);
    }
  }

  /** What a node takes over counts from the first record on. */
  @Test
  void pin_quota_aNodeJoins_isNotPassedThere() throws Exception {
    try (TestGrid grid = TestGrid.of(2)) {
      grid.nodes().forEach(node -> knows(node, Policy.PIN, 0, 30));
      for (GridNode node : grid.nodes()) {
        fillUntilRefused(node);
      }
      GridNode joined = grid.start(2);
      knows(joined, Policy.PIN, 0, 30);
      grid.awaitSettled();
      fillUntilRefused(joined);

      long quota = GridNode.BUDGET_BYTES * 30 / 100;
      assertThat(held(joined, 0) * RECORD_BYTES).isBetween(quota * 85 / 100, quota);
    }
  }

  private void fillUntilRefused(GridNode node) throws InterruptedException {
    int refused = 0;
    while (refused < 20) {
      long index = nextIndex.getAndIncrement();
      if (node.isPrimary(0, index)
          && node.submit(0, GridNode.key(index), RECORD_BYTES) != Submitted.TAKEN) {
        refused++;
      }
    }
    await().until(() -> node.fills.stats().inFlightBytes() == 0);
  }

  private static void knows(GridNode node, Policy policy, int backups) {
    knows(node, policy, backups, 100);
  }

  private static void knows(GridNode node, Policy policy, int backups, int quotaPercent) {
    DatasetTerms terms =
        new DatasetTerms(
            "t/kept",
            100_000,
            backups,
            Tier.MEMORY,
            policy,
            Portion.ofPercent(quotaPercent),
            Portion.ofPercent(0));
    node.terms.put(GridNode.key(0).dataset(), terms);
    node.capacity.termsChanged(GridNode.key(0).dataset());
  }

  private void fillUntilEvicted(TestGrid grid, int backups) throws InterruptedException {
    while (!grid.nodes().stream()
        .allMatch(node -> node.capacity.shares().stream().anyMatch(s -> s.evictions() > 20))) {
      fill(grid, backups);
    }
  }

  private void fillABit(TestGrid grid, int backups) throws InterruptedException {
    for (int fills = 0; fills < FILLS_BESIDE; fills++) {
      fill(grid, backups);
      Thread.sleep(25); // As slow as training, so that the evictor has its turns.
    }
    for (GridNode node : grid.nodes()) {
      await().until(() -> node.fills.stats().inFlightBytes() == 0);
    }
  }

  /** Of the next sample, by the node that decides about it. */
  private void fill(TestGrid grid, int backups) throws InterruptedException {
    long index = nextIndex.getAndIncrement();
    for (GridNode node : grid.nodes()) {
      if (node.isPrimary(backups, index)) {
        SampleKey key = GridNode.key(index);
        await()
            .pollInSameThread()
            .pollDelay(Duration.ZERO)
            .pollInterval(Duration.ofMillis(1))
            .until(() -> node.submit(backups, key, RECORD_BYTES) == Submitted.TAKEN);
      }
    }
  }

  private Submitted submit(GridNode node, int backups) throws InterruptedException {
    return node.submit(backups, GridNode.key(nextIndex.getAndIncrement()), RECORD_BYTES);
  }

  /** How many records there are, each counted once. */
  private static long held(TestGrid grid, int backups) {
    return grid.nodes().stream().mapToLong(node -> held(node, backups)).sum();
  }

  private static long held(GridNode node, int backups) {
    List<Integer> primaries = node.stores.partitions(backups, Held.PRIMARY);
    return IntStream.range(0, primaries.size())
        .mapToLong(i -> node.stores.records(backups, primaries.get(i)))
        .sum();
  }
}
