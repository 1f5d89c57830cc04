package io.trainingday.node.store;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.Test;

class ReadGateTest {
  /** Closes a gate under threads that run through it, many times; the region's memory is a flag. */
  @Test
  void close_underLoad_nobodyInsideAfterwardsAndNobodyEnters() throws Exception {
    int readers = 2;
    ExecutorService threads = Executors.newFixedThreadPool(readers);
    try {
      for (int round = 0; round < 500; round++) {
        ReadGate gate = new ReadGate();
        AtomicReference<String> memory = new AtomicReference<>("valid");
        CountDownLatch running = new CountDownLatch(readers);
        List<Future<Integer>> results = new ArrayList<>();
        for (int reader = 0; reader < readers; reader++) {
          results.add(
              threads.submit(
                  () -> {
                    int visits = 0;
                    while (gate.enter()) {
                      try {
                        String first = memory.get();
                        if (visits++ == 0) {
                          running.countDown();
                        }
                        if (!"valid".equals(first) || !"valid".equals(memory.get())) {
                          throw new AssertionError("inside a closed gate");
                        }
                      } finally {
                        gate.leave();
                      }
                    }
                    return visits;
                  }));
        }
        running.await();
        gate.close();
        memory.set("freed");
        for (Future<Integer> result : results) {
          assertThat(result.get()).isPositive();
        }
        assertThat(gate.enter()).isFalse();
      }
    } finally {
      threads.shutdownNow();
    }
  }

  @Test
  void close_whileAReaderIsInside_waitsForIt() throws Exception {
    ReadGate gate = new ReadGate();
    CountDownLatch inside = new CountDownLatch(1);
    CountDownLatch mayLeave = new CountDownLatch(1);
    AtomicReference<String> order = new AtomicReference<>("");
    ExecutorService threads = Executors.newFixedThreadPool(2);
    try {
      Future<Boolean> reader =
          threads.submit(
              () -> {
                boolean entered = gate.enter();
                inside.countDown();
                mayLeave.await();
                order.accumulateAndGet("left ", String::concat);
                gate.leave();
                return entered;
              });
      inside.await();
      Future<?> closer =
          threads.submit(
              () -> {
                gate.close();
                order.accumulateAndGet("closed", String::concat);
              });
      while (gate.enter()) {
        gate.leave();
      }
      assertThat(closer.isDone()).isFalse();
      mayLeave.countDown();
      closer.get();

      assertThat(reader.get()).isTrue();
      assertThat(order.get()).isEqualTo("left closed");
    } finally {
      threads.shutdownNow();
    }
  }
}
