package io.trainingday.client;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import org.junit.jupiter.api.Test;

class LoaderPoolTest {
  /** What is missing of a later batch is known first, as when another owner answers sooner. */
  @Test
  void batchAskedForEarlier_isLoadedFirst_whicheverIsKnownToBeMissingFirst() throws Exception {
    List<String> loaded = Collections.synchronizedList(new ArrayList<>());
    CountDownLatch busy = new CountDownLatch(1);
    try (LoaderPool pool = new LoaderPool(1)) {
      long first = pool.turn();
      long earlier = pool.turn();
      long later = pool.turn();
      Thread blocking = runs(pool, first, List.of(() -> awaitEnd(busy)));
      Thread second = runs(pool, later, loads(loaded, "later"));
      Thread third = runs(pool, earlier, loads(loaded, "earlier"));

      busy.countDown();
      for (Thread thread : List.of(blocking, second, third)) {
        thread.join();
      }
    }
    assertThat(loaded).containsExactly("earlier 0", "earlier 1", "later 0", "later 1");
  }

  private static List<Runnable> loads(List<String> loaded, String name) {
    return List.of(() -> loaded.add(name + " 0"), () -> loaded.add(name + " 1"));
  }

  /** Starts a thread that hands over its loads, and returns when it waits for them. */
  private static Thread runs(LoaderPool pool, long turn, List<Runnable> tasks) {
    Thread thread = new Thread(() -> pool.run(turn, tasks));
    thread.start();
    await().until(() -> thread.getState() == Thread.State.WAITING);
    return thread;
  }

  private static void awaitEnd(CountDownLatch latch) {
    try {
      latch.await();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }
}
