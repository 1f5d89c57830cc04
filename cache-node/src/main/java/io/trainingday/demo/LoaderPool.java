package io.trainingday.demo;

import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.atomic.AtomicInteger;

/** The threads that load samples while the model computes. */
final class LoaderPool {
  /** Batches that are loaded ahead of the one the model works on. */
  static final int BATCHES_AHEAD = 4;

  /** Threads that load samples, with and without a cache. */
  static final int THREADS = Math.max(2, Runtime.getRuntime().availableProcessors());

  private LoaderPool() {}

  static ExecutorService start() {
    AtomicInteger number = new AtomicInteger();
    return Executors.newFixedThreadPool(
        THREADS,
        task -> {
          Thread thread = new Thread(task, "loader-" + number.incrementAndGet());
          thread.setDaemon(true);
          return thread;
        });
  }
}
