package io.trainingday.node.capacity;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.trainingday.config.DataSize;
import io.trainingday.config.SettingKey;
import io.trainingday.grid.SampleKey;
import io.trainingday.node.fill.Fills.Submitted;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

class RebalanceTest {
  private static final Duration LONG = Duration.ofMinutes(1);

  /** The former owners serve until the new one has everything. */
  @Test
  void join_filledGrid_everySampleIsServedAllTheTime() throws Exception {
    try (TestGrid grid = TestGrid.of(2)) {
      Map<SampleKey, Integer> stored = grid.fillUntilRefused(0, 50_000, 200_000);
      AtomicBoolean stop = new AtomicBoolean();
      ExecutorService thread = Executors.newSingleThreadExecutor();
      try {
        Future<Integer> reader = thread.submit(() -> readAll(grid, stored, stop));
        GridNode joined = grid.start(2);
        grid.awaitSettled();
        stop.set(true);
        assertThat(reader.get()).isPositive();

        assertThat(joined.capacity.stats().arrived())
            .isBetween(stored.size() / 5L, stored.size() / 2L);
        for (SampleKey key : stored.keySet()) {
          assertThat(grid.copies(0, key)).isEqualTo(1);
        }
      } finally {
        stop.set(true);
        thread.shutdown();
      }
      grid.assertNoTroubles();
    }
  }

  private static int readAll(TestGrid grid, Map<SampleKey, Integer> stored, AtomicBoolean stop) {
    int rounds = 0;
    while (!stop.get()) {
      for (SampleKey key : stored.keySet()) {
        // Between a look here and there, a partition may have been handed over.
        boolean served = grid.copies(0, key) > 0;
        served = served || grid.copies(0, key) > 0;
        assertThat(served).as("%s is served", key).isTrue();
      }
      rounds++;
    }
    return rounds;
  }

  @Test
  void leave_filledGridWithBackups_everyCopyIsRebuilt() throws Exception {
    try (TestGrid grid = TestGrid.of(3)) {
      Map<SampleKey, Integer> stored = grid.fillUntilRefused(1, 50_000, 200_000);
      grid.stop(0);
      for (SampleKey key : stored.keySet()) {
        assertThat(grid.copies(1, key)).isPositive();
      }
      grid.awaitSettled();

      grid.assertNoTroubles();
      int rebuilt = 0;
      for (SampleKey key : stored.keySet()) {
        int copies = grid.copies(1, key);
        assertThat(copies).isPositive();
        rebuilt += copies == 2 ? 1 : 0;
      }
      assertThat(rebuilt).isGreaterThan(stored.size() * 9 / 10);
    }
  }

  /** Three quarters full, four nodes become two: half again as much as they can hold. */
  @Test
  void leave_moreThanFits_isDroppedOnArrivalAndNobodyRunsOut() throws Exception {
    try (TestGrid grid = TestGrid.of(4)) {
      Map<SampleKey, Integer> stored = grid.fillUntilRefused(1, 50_000, 200_000);
      grid.stop(0);
      grid.awaitSettled();
      grid.stop(1);
      grid.awaitSettled();

      grid.assertNoTroubles();
      int served = 0;
      long dropped = 0;
      for (SampleKey key : stored.keySet()) {
        served += grid.copies(1, key) > 0 ? 1 : 0;
      }
      for (GridNode node : grid.nodes()) {
        dropped += node.capacity.stats().dropped();
        assertThat(node.usedPages()).isLessThan(node.limitPages() * 105 / 100);
      }
      assertThat(dropped).isPositive();
      assertThat(served).isGreaterThan(stored.size() * 9 / 10);
    }
  }

  @Test
  void join_maxRate_isKept() throws Exception {
    long rate = 4 << 20;
    try (TestGrid grid =
        new TestGrid(
            settings -> settings.set(SettingKey.REBALANCE_MAX_RATE, DataSize.ofBytes(rate)))) {
      grid.start(0);
      grid.awaitSettled();
      grid.fillUntilRefused(0, 20_000, 100_000);

      GridNode joined = grid.start(1);
      await().until(() -> joined.capacity.stats().arrived() > 0);
      long began = System.nanoTime();
      long bytesBefore = joined.capacity.stats().arrivedBytes();
      await().until(() -> joined.capacity.stats().partitionsArriving() == 0);
      double seconds = (System.nanoTime() - began) / 1e9;
      long bytes = joined.capacity.stats().arrivedBytes() - bytesBefore;

      assertThat(bytes).isGreaterThan(4 * rate);
      // A busy machine may take longer.
      assertThat(bytes / seconds).isLessThan(1.3 * rate);
      grid.awaitSettled();
      grid.assertNoTroubles();
    }
  }

  /** Coming and going costs nothing that lasts. */
  @Test
  void joinAndLeave_sixTimesUnderLoad_nothingIsLeft() throws Exception {
    try (TestGrid grid = TestGrid.of(2)) {
      AtomicBoolean stop = new AtomicBoolean();
      ExecutorService threads = Executors.newFixedThreadPool(2);
      try {
        List<Future<Integer>> loads = new ArrayList<>();
        for (GridNode node : grid.nodes()) {
          loads.add(threads.submit(() -> fillReadAndRemove(node, stop)));
        }
        List<String> threadsBefore = ourThreads();
        cycle(grid);
        long filesBefore = openFiles();
        for (int i = 0; i < 5; i++) {
          cycle(grid);
        }
        await().atMost(LONG).untilAsserted(() -> assertThat(ourThreads()).isEqualTo(threadsBefore));
        // A socket that was left is closed with the object.
        await()
            .atMost(LONG)
            .untilAsserted(
                () -> {
                  System.gc();
                  assertThat(openFiles()).isLessThan(filesBefore + 10);
                });
        stop.set(true);
        for (Future<Integer> load : loads) {
          assertThat(load.get()).as("records written").isGreaterThan(100);
        }
      } finally {
        stop.set(true);
        threads.shutdown();
      }
      for (GridNode node : grid.nodes()) {
        long empty = (long) GridNode.PARTITIONS * 3 * 2;
        assertThat(node.usedPages()).isBetween(empty / 2, empty + 150);
      }
      grid.assertNoTroubles();
    }
  }

  private static void cycle(TestGrid grid) {
    grid.start(2);
    grid.awaitSettled();
    grid.stop(2);
    grid.awaitSettled();
  }

  /** Until stopped, and leaves nothing behind; how many records were written. */
  private static int fillReadAndRemove(GridNode node, AtomicBoolean stop) throws Exception {
    int written = 0;
    while (!stop.get()) {
      List<SampleKey> keys = new ArrayList<>();
      for (long index = 0; index < 400; index++) {
        SampleKey key = GridNode.key(index, written);
        if (node.isPrimary(1, index) && node.submit(1, key, 30_000) == Submitted.TAKEN) {
          keys.add(key);
        }
      }
      await().atMost(LONG).until(() -> node.fills.stats().inFlightBytes() == 0);
      for (SampleKey key : keys) {
        boolean unused = node.holds(1, key);
        unused = node.stores.of(1).remove(key);
      }
      written += keys.size();
    }
    return written;
  }

  /** Our threads, and those of Ignite that name the node that came and went. */
  private static List<String> ourThreads() {
    return Thread.getAllStackTraces().keySet().stream()
        .map(Thread::getName)
        .filter(
            name ->
                name.startsWith("training-day")
                    || name.startsWith("fill-writer")
                    || name.contains("host-2"))
        .sorted()
        .toList();
  }

  private static long openFiles() throws IOException {
    try (Stream<Path> files = Files.list(Path.of("/proc/self/fd"))) {
      return files.count();
    }
  }
}
