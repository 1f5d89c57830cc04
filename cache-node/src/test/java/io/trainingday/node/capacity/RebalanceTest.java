package io.trainingday.node.capacity;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.trainingday.config.DataSize;
import io.trainingday.config.Portion;
import io.trainingday.config.SettingKey;
import io.trainingday.config.Settings.Policy;
import io.trainingday.config.Settings.Tier;
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

  /** The room of copies to be rebuilt, and of what a new node is to take over, is theirs alone. */
  @Test
  void leaveAndJoin_filledGridWithBackups_othersGoOnFilling_noCopyIsLost() throws Exception {
    try (TestGrid grid = TestGrid.of(3)) {
      grid.nodes().forEach(RebalanceTest::knowsOfCopies);
      Map<SampleKey, Integer> stored = grid.fillUntilRefused(1, 20_000, 50_000);
      AtomicBoolean stop = new AtomicBoolean();
      ExecutorService threads = Executors.newFixedThreadPool(2);
      try {
        List<Future<Integer>> fills = new ArrayList<>();
        grid.nodes().stream()
            .skip(1)
            .forEach(node -> fills.add(threads.submit(() -> fillMore(node, stop))));
        grid.stop(0);
        for (SampleKey key : stored.keySet()) {
          assertThat(grid.copies(1, key)).isPositive();
        }
        awaitRebuilt(grid, stored);
        knowsOfCopies(grid.start(0));
        awaitRebuilt(grid, stored);
        stop.set(true);
        for (Future<Integer> fill : fills) {
          assertThat(fill.get()).as("fills refused").isPositive();
        }
      } finally {
        stop.set(true);
        threads.shutdown();
      }
    }
  }

  private static void awaitRebuilt(TestGrid grid, Map<SampleKey, Integer> stored) {
    grid.awaitSettled();
    grid.assertNoTroubles();
    for (GridNode node : grid.nodes()) {
      assertThat(node.capacity.stats().dropped()).isZero();
    }
    for (SampleKey key : stored.keySet()) {
      assertThat(grid.copies(1, key)).isEqualTo(2);
    }
  }

  private static void knowsOfCopies(GridNode node) {
    DatasetTerms terms =
        new DatasetTerms(
            "copied", 0, 1, Tier.MEMORY, Policy.PIN, Portion.ofPercent(100), Portion.ofPercent(0));
    node.terms.put(GridNode.key(0).dataset(), terms);
  }

  /** With samples that nobody has yet, until stopped; how many were refused. */
  private static int fillMore(GridNode node, AtomicBoolean stop) throws InterruptedException {
    int refused = 0;
    for (long index = 1_000_000; !stop.get(); index++) {
      if (node.isPrimary(1, index)
          && node.submit(1, GridNode.key(index), 30_000) != Submitted.TAKEN) {
        refused++;
      }
    }
    return refused;
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
  void join_maxRate_isKept_andWhatIsToArriveIsKnown() throws Exception {
    long rate = 4 << 20;
    try (TestGrid grid =
        new TestGrid(
            settings -> settings.set(SettingKey.REBALANCE_MAX_RATE, DataSize.ofBytes(rate)))) {
      grid.start(0);
      grid.awaitSettled();
      grid.fillUntilRefused(0, 20_000, 100_000);

      GridNode joined = grid.start(1);
      Admission admission = joined.capacity.admission();
      // A node that has just joined has to ask the others.
      await().until(() -> admission.bytesArriving() > 3 * rate);
      long expected = admission.bytesArriving();
      long began = System.nanoTime();
      long bytesBefore = joined.capacity.stats().arrivedBytes();
      await().until(() -> joined.capacity.stats().partitionsArriving() == 0);
      double seconds = (System.nanoTime() - began) / 1e9;
      long bytes = joined.capacity.stats().arrivedBytes() - bytesBefore;

      assertThat(bytes).isGreaterThan(3 * rate);
      assertThat((double) expected).as("expected").isBetween(0.8 * bytes, 1.4 * bytes);
      await().untilAsserted(() -> assertThat(admission.bytesArriving()).isZero());
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

  /**
   * Our threads, and those of Ignite that name the node that came and went; but for those that ask
   * others in turn, which come and go with the questions.
   */
  private static List<String> ourThreads() {
    return Thread.getAllStackTraces().keySet().stream()
        .map(Thread::getName)
        .filter(
            name ->
                name.startsWith("training-day")
                    || name.startsWith("fill-writer")
                    || name.contains("host-2"))
        .filter(name -> !name.equals("training-day-ring-question"))
        .sorted()
        .toList();
  }

  private static long openFiles() throws IOException {
    try (Stream<Path> files = Files.list(Path.of("/proc/self/fd"))) {
      return files.count();
    }
  }
}
