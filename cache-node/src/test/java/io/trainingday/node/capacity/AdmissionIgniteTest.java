package io.trainingday.node.capacity;

import static org.assertj.core.api.Assertions.assertThat;

import io.trainingday.grid.GridCaches;
import io.trainingday.grid.SampleKey;
import io.trainingday.node.store.RecordSink;
import io.trainingday.node.store.RecordStore;
import io.trainingday.node.store.RecordStores;
import io.trainingday.node.store.SmallNode;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The headroom rule against the engine it is made for. */
class AdmissionIgniteTest {
  private static final long BUDGET_BYTES = 64 << 20;
  private static final int MAX_RECORD_BYTES = 3 << 20;
  private static final int WRITERS = 4;

  @Test
  void fill_farOverTheBudget_igniteNeverRunsOutAndReadsGoOn(@TempDir Path directory)
      throws Exception {
    try (SmallNode node = SmallNode.start(directory, BUDGET_BYTES)) {
      RecordStore store = RecordStores.withPageReader(node.ignite()).of(0);
      Admission admission =
          new Admission(
              node.ignite().cluster().localNode().id(),
              BUDGET_BYTES,
              0,
              MAX_RECORD_BYTES,
              SmallNode.PAGE_BYTES,
              node::usedPages);
      Map<SampleKey, Integer> held = new ConcurrentHashMap<>();

      fill(store, admission, held, 1 << 10, MAX_RECORD_BYTES);
      assertThat(admission.refused(Refusal.BUDGET)).isPositive();
      assertHeld(store, held, 30 << 20);

      // Holes of all sizes, filled again: free pages are reused, not only fresh ones.
      for (int round = 0; round < 3; round++) {
        Random random = new Random(round);
        held.keySet().removeIf(key -> random.nextInt(3) == 0 && store.remove(key));
        fill(store, admission, held, 1 << 10, MAX_RECORD_BYTES >> (2 * round));
        assertHeld(store, held, 30 << 20);
      }
      assertThat(admission.bytesInFlight()).isZero();
      assertThat(node.failures()).isEmpty();
      store.drain();
    }
  }

  /** Small records cost the most in trees and lists. */
  @Test
  void fill_smallRecordsOnly_igniteNeverRunsOut(@TempDir Path directory) throws Exception {
    try (SmallNode node = SmallNode.start(directory, BUDGET_BYTES)) {
      RecordStore store = RecordStores.withPageReader(node.ignite()).of(0);
      Admission admission =
          new Admission(
              node.ignite().cluster().localNode().id(),
              BUDGET_BYTES,
              0,
              MAX_RECORD_BYTES,
              SmallNode.PAGE_BYTES,
              node::usedPages);
      Map<SampleKey, Integer> held = new ConcurrentHashMap<>();

      fill(store, admission, held, 500, 3_000);

      assertThat(admission.refused(Refusal.BUDGET)).isPositive();
      assertHeld(store, held, 30 << 20);
      assertThat(node.failures()).isEmpty();
      store.drain();
    }
  }

  /** Each writer goes on until it was refused fifty times. */
  private static void fill(
      RecordStore store,
      Admission admission,
      Map<SampleKey, Integer> held,
      int leastBytes,
      int mostBytes)
      throws Exception {
    ExecutorService threads = Executors.newFixedThreadPool(WRITERS);
    try {
      List<Future<?>> writers = new ArrayList<>();
      for (int writer = 0; writer < WRITERS; writer++) {
        Random random = new Random(writer + admission.refused(Refusal.BUDGET));
        writers.add(
            threads.submit(
                () -> {
                  for (int refused = 0; refused < 50; ) {
                    int bytes = leastBytes + random.nextInt(mostBytes - leastBytes + 1);
                    if (admission.tryAdmit(bytes, List.of()) != null) {
                      refused++;
                      continue;
                    }
                    SampleKey key = new SampleKey(1, 2, 3, 0, 0, random.nextLong());
                    try {
                      store.write(key, new byte[bytes]);
                      held.put(key, bytes);
                    } finally {
                      admission.release(bytes, List.of());
                    }
                  }
                }));
      }
      for (Future<?> writer : writers) {
        writer.get();
      }
    } finally {
      threads.shutdownNow();
    }
  }

  private static void assertHeld(RecordStore store, Map<SampleKey, Integer> held, long leastBytes) {
    long bytes = 0;
    for (Map.Entry<SampleKey, Integer> record : held.entrySet()) {
      assertThat(store.read(record.getKey(), new LengthOnly())).isEqualTo(record.getValue());
      bytes += record.getValue();
    }
    assertThat(bytes).isBetween(leastBytes, BUDGET_BYTES);
  }

  private static final class LengthOnly implements RecordSink {
    @Override
    public boolean begin(int recordLength) {
      return true;
    }

    @Override
    public void copy(long address, int length) {}

    @Override
    public void copy(byte[] bytes, int offset, int length) {}
  }

  /** What a partition takes while it is empty; admission keeps that free for each absent one. */
  @Test
  void emptyPartitions_takeTwoPagesEach() {
    try (TestGrid grid = TestGrid.of(1)) {
      int partitions = GridNode.PARTITIONS * (GridCaches.MAX_BACKUPS + 1);
      assertThat(grid.nodes().get(0).usedPages()).isBetween(partitions * 2L, partitions * 2L + 32);
    }
  }
}
