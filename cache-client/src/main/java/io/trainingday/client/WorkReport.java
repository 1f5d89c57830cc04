package io.trainingday.client;

import io.trainingday.lane.ReportMessage;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * What the reads of one data set cost its trainer, until the node is told. A thread that reads
 * without reading ahead is taken for the training loop if it has opened the data set, else for a
 * worker. Thread-safe.
 */
final class WorkReport {
  /** A longer time between two batches is no training. */
  private static final long LONGEST_PAUSE_NANOS = TimeUnit.SECONDS.toNanos(60);

  private final Thread opener = Thread.currentThread();
  private final ThreadLocal<Loop> loopOfThread =
      ThreadLocal.withInitial(() -> new Loop(Thread.currentThread() != opener));
  // Guarded by this.
  private final long[] waitedNanos = new long[2];
  private final long[] activeNanos = new long[2];
  private long loads;
  private long loadNanos;

  /** One that takes a batch after the other; used by one thread at a time. */
  final class Loop {
    private final int where;
    private boolean began;
    private long lastNanos;

    private Loop(boolean inWorker) {
      this.where = inWorker ? 1 : 0;
    }

    /** A batch was asked for at {@code from}, and is there now. */
    void waited(long from, long now) {
      long pause = began ? Math.min(LONGEST_PAUSE_NANOS, Math.max(0, from - lastNanos)) : 0;
      began = true;
      lastNanos = now;
      synchronized (WorkReport.this) {
        waitedNanos[where] += now - from;
        activeNanos[where] += now - from + pause;
      }
    }
  }

  /** A training loop that has just begun. */
  Loop loop() {
    return new Loop(false);
  }

  /** The loop that this thread goes through. */
  Loop loopOfThread() {
    return loopOfThread.get();
  }

  /** The loader has returned a sample. */
  synchronized void loaded(long nanos) {
    loads++;
    loadNanos += nanos;
  }

  /**
   * Takes out what is to be told of a training loop, or of workers; null when there is nothing. The
   * loads go with whichever comes first.
   */
  synchronized @Nullable ReportMessage take(int handle, boolean inWorker) {
    int where = inWorker ? 1 : 0;
    if (activeNanos[where] == 0 && loads == 0) {
      return null;
    }
    long active = Math.min(activeNanos[where], ReportMessage.MOST);
    ReportMessage report =
        new ReportMessage(
            handle,
            inWorker,
            Math.min(waitedNanos[where], active),
            active,
            loads,
            Math.min(loadNanos, ReportMessage.MOST));
    waitedNanos[where] = 0;
    activeNanos[where] = 0;
    loads = 0;
    loadNanos = 0;
    return report;
  }
}
