package io.trainingday.client;

import java.util.Comparator;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.PriorityBlockingQueue;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;

/**
 * The threads that load samples, shared by all reads. What batches lack is loaded in the order in
 * which the batches were asked for, and in a batch in its order, whenever it is known to be
 * missing.
 */
final class LoaderPool implements AutoCloseable {
  private static final ThreadLocal<Boolean> LOADING = ThreadLocal.withInitial(() -> false);

  private final AtomicLong turns = new AtomicLong();
  private final ExecutorService threads;

  LoaderPool(int count) {
    threads =
        new ThreadPoolExecutor(
            count,
            count,
            0,
            TimeUnit.SECONDS,
            new PriorityBlockingQueue<>(),
            DaemonThreads.named("training-day-loader"),
            // Closed meanwhile: a read under way ends as it began, on its caller's thread.
            (task, pool) -> task.run());
  }

  /** The place in the queue of a batch that is asked for now. */
  long turn() {
    return turns.getAndIncrement();
  }

  /**
   * Runs all and waits for them. Tasks do not throw.
   *
   * @param turn of the batch they are of
   */
  void run(long turn, List<Runnable> tasks) {
    if (isLoading()) {
      // A loader that reads from another cached data set: its own thread is the one that is free.
      tasks.forEach(Runnable::run);
      return;
    }
    CountDownLatch left = new CountDownLatch(tasks.size());
    for (int i = 0; i < tasks.size(); i++) {
      threads.execute(new Load(turn, i, tasks.get(i), left));
    }
    awaitAll(left);
  }

  /** Whether this thread loads a sample, of whatever cache: then somebody waits for it. */
  static boolean isLoading() {
    return LOADING.get();
  }

  /** Loads cannot be taken back; an interrupt is kept for whoever waits next. */
  private static void awaitAll(CountDownLatch left) {
    boolean interrupted = false;
    while (true) {
      try {
        left.await();
        break;
      } catch (InterruptedException e) {
        interrupted = true;
      }
    }
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
  }

  private static final class Load implements Runnable, Comparable<Load> {
    private static final Comparator<Load> IN_TURN =
        Comparator.<Load>comparingLong(load -> load.turn).thenComparingInt(load -> load.place);

    private final long turn;
    private final int place;
    private final Runnable task;
    private final CountDownLatch left;

    Load(long turn, int place, Runnable task, CountDownLatch left) {
      this.turn = turn;
      this.place = place;
      this.task = task;
      this.left = left;
    }

    @Override
    public void run() {
      LOADING.set(true);
      try {
        task.run();
      } finally {
        LOADING.remove();
        left.countDown();
      }
    }

    @Override
    public int compareTo(Load other) {
      return IN_TURN.compare(this, other);
    }
  }

  /** Loads under way go on to their end. */
  @Override
  public void close() {
    threads.shutdown();
  }
}
