package io.trainingday.client;

import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;

/** The threads that load samples, shared by all reads; earlier batches are served first. */
final class LoaderPool implements AutoCloseable {
  private static final ThreadLocal<Boolean> LOADING = ThreadLocal.withInitial(() -> false);

  private final ExecutorService threads;

  LoaderPool(int count) {
    threads =
        new ThreadPoolExecutor(
            count,
            count,
            0,
            TimeUnit.SECONDS,
            new LinkedBlockingQueue<>(),
            DaemonThreads.named("training-day-loader"),
            // Closed meanwhile: a read under way ends as it began, on its caller's thread.
            (task, pool) -> task.run());
  }

  /** Runs all and waits for them. Tasks do not throw. */
  void run(List<Runnable> tasks) {
    if (isLoading()) {
      // A loader that reads from another cached data set: its own thread is the one that is free.
      tasks.forEach(Runnable::run);
      return;
    }
    CompletableFuture<?>[] all =
        tasks.stream()
            .map(task -> CompletableFuture.runAsync(() -> runMarked(task), threads))
            .toArray(CompletableFuture<?>[]::new);
    CompletableFuture.allOf(all).join();
  }

  /** Whether this thread loads a sample, of whatever cache: then somebody waits for it. */
  static boolean isLoading() {
    return LOADING.get();
  }

  private static void runMarked(Runnable task) {
    LOADING.set(true);
    try {
      task.run();
    } finally {
      LOADING.remove();
    }
  }

  /** Loads under way go on to their end. */
  @Override
  public void close() {
    threads.shutdown();
  }
}
