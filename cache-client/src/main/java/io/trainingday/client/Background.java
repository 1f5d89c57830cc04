package io.trainingday.client;

import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Executor;
import java.util.concurrent.Future;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One thread for what no reader waits for. A task that fails is logged and changes nothing for the
 * others; after {@link #close} tasks are dropped.
 */
final class Background implements Executor, AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(Background.class);

  private final ScheduledThreadPoolExecutor thread;
  private final Set<Droppable> droppable = ConcurrentHashMap.newKeySet();
  private volatile boolean closed;

  /** A task of which it is noticed when it is dropped. */
  private final class Droppable {
    private final Runnable task;
    private final Runnable dropped;

    Droppable(Runnable task, Runnable dropped) {
      this.task = task;
      this.dropped = dropped;
    }

    void run() {
      if (droppable.remove(this)) {
        task.run();
      }
    }

    void drop() {
      if (droppable.remove(this)) {
        guarded(dropped).run();
      }
    }
  }

  Background(String name) {
    thread =
        new ScheduledThreadPoolExecutor(
            1, DaemonThreads.named(name), new ThreadPoolExecutor.DiscardPolicy());
    thread.setRemoveOnCancelPolicy(true);
  }

  @Override
  public void execute(Runnable task) {
    thread.execute(guarded(task));
  }

  /** Runs it once. The result is for cancelling alone: guarded tasks do not fail. */
  Future<?> later(Runnable task, long delayMillis) {
    return thread.schedule(guarded(task), delayMillis, TimeUnit.MILLISECONDS);
  }

  /** Runs it once, or {@code dropped} in its place when this is closed before. */
  void later(Runnable task, long delayMillis, Runnable dropped) {
    Droppable one = new Droppable(task, dropped);
    droppable.add(one);
    Future<?> unused = later(one::run, delayMillis);
    if (closed) {
      one.drop();
    }
  }

  /** Runs it again and again until the result is cancelled. */
  Future<?> every(Runnable task, long periodMillis) {
    return thread.scheduleWithFixedDelay(
        guarded(task), periodMillis, periodMillis, TimeUnit.MILLISECONDS);
  }

  private static Runnable guarded(Runnable task) {
    return () -> {
      try {
        task.run();
      } catch (RuntimeException | Error e) {
        LOG.error("a background task of the cache client failed", e);
      }
    };
  }

  @Override
  public void close() {
    closed = true;
    thread.shutdownNow();
    droppable.forEach(Droppable::drop);
  }
}
