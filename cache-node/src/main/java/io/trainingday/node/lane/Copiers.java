package io.trainingday.node.lane;

import io.netty.util.concurrent.DefaultThreadFactory;
import io.trainingday.node.lane.Sinks.Scratch;
import io.trainingday.record.RecordChecksum;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.SynchronousQueue;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * Threads that help a connection's thread with a large batch. The caller works, too, and goes on
 * alone when no helper is free, so a batch never waits for a thread.
 */
final class Copiers implements AutoCloseable {
  /**
   * A part is worth handing over when its copy takes much longer than waking a thread, some 10 µs:
   * at 10 GB/s this is 26 µs.
   */
  private static final int PART_BYTES = 256 << 10;

  private static final int MAX_HELPERS = 3;

  private static final ThreadLocal<Tools> TOOLS =
      ThreadLocal.withInitial(() -> new Tools(new Scratch(), new RecordChecksum()));

  private final int helpers;
  private final ThreadPoolExecutor threads;

  /** What one thread needs to lay records down. */
  record Tools(Scratch scratch, RecordChecksum checksum) {}

  /** Work on the samples {@code from} (included) to {@code to} (excluded). */
  @FunctionalInterface
  interface Part {
    void run(int from, int to);
  }

  /**
   * @param cores of this machine; one of them is the caller's
   */
  Copiers(int cores) {
    helpers = Math.min(MAX_HELPERS, cores - 1);
    // A hand-over succeeds only if a thread is free: no batch queues behind another's.
    threads =
        new ThreadPoolExecutor(
            0,
            Math.max(1, cores - 1),
            1,
            TimeUnit.MINUTES,
            new SynchronousQueue<>(),
            new DefaultThreadFactory("lane-copy", true));
  }

  /** The calling thread's own. */
  static Tools tools() {
    return TOOLS.get();
  }

  /**
   * Runs the work on all samples of {@code [start, end)}, in parts, each by one thread, and returns
   * when all parts are done. Parts must not throw.
   *
   * @param sampleBytes of one sample, about
   */
  void run(int start, int end, int sampleBytes, Part work) {
    int samplesPerPart = Math.max(1, PART_BYTES / Math.max(1, sampleBytes));
    int parts = (end - start + samplesPerPart - 1) / samplesPerPart;
    if (parts < 2 || helpers == 0) {
      work.run(start, end);
      return;
    }
    AtomicInteger next = new AtomicInteger();
    CountDownLatch open = new CountDownLatch(parts);
    Runnable worker =
        () -> {
          for (int part = next.getAndIncrement(); part < parts; part = next.getAndIncrement()) {
            int from = start + part * samplesPerPart;
            try {
              work.run(from, Math.min(end, from + samplesPerPart));
            } finally {
              open.countDown();
            }
          }
        };
    for (int i = 0; i < Math.min(helpers, parts - 1); i++) {
      if (!tryHelp(worker)) {
        break;
      }
    }
    try {
      worker.run();
    } finally {
      awaitUninterruptibly(open);
    }
  }

  private boolean tryHelp(Runnable worker) {
    try {
      threads.execute(worker);
      return true;
    } catch (RejectedExecutionException busy) {
      return false;
    }
  }

  /** The others are in the middle of their last part: the memory is theirs until they are done. */
  private static void awaitUninterruptibly(CountDownLatch open) {
    boolean interrupted = false;
    while (true) {
      try {
        open.await();
        break;
      } catch (InterruptedException e) {
        interrupted = true;
      }
    }
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
  }

  @Override
  public void close() {
    threads.shutdown();
  }
}
