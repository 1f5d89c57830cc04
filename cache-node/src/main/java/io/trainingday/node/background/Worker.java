package io.trainingday.node.background;

import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.LockSupport;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.LongSupplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A daemon thread that works in turns: one at the start, and then one whenever some time has gone
 * by or it is woken. A turn that fails, by an error too, is logged and followed by the next one.
 *
 * <p>All methods may be called from any thread, but {@link #pause} and {@link #awaitWake}, which
 * are for the turns.
 */
public final class Worker implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(Worker.class);

  /** What always fails must not take a processor for itself, however often it is woken. */
  private static final long PAUSE_AFTER_FAILURE_NANOS = TimeUnit.MILLISECONDS.toNanos(100);

  /** What is done again and again. */
  @FunctionalInterface
  public interface Turn {
    /**
     * Runs on the worker's thread. A long one looks at {@link #isClosed} now and then.
     *
     * @param woken whether there is a reason for it beside the time; so has the first one
     */
    void run(boolean woken);
  }

  private final LongSupplier periodNanos;
  private final Turn turn;
  private final Thread thread;
  private final ReentrantLock lock = new ReentrantLock();
  private final Condition changed = lock.newCondition();
  private final AtomicBoolean woken = new AtomicBoolean();
  private volatile boolean waiting;
  private volatile boolean closed;

  /**
   * Makes one that is still to be started.
   *
   * @param name of the thread
   * @param periodNanos how long to wait for the next turn, at most; asked after each
   */
  public Worker(String name, LongSupplier periodNanos, Turn turn) {
    this.periodNanos = periodNanos;
    this.turn = turn;
    thread = new Thread(this::run, name);
    thread.setDaemon(true);
  }

  /** As {@link #Worker(String, LongSupplier, Turn)}, always after the same time. */
  public Worker(String name, long periodNanos, Turn turn) {
    this(name, () -> periodNanos, turn);
  }

  /** Begins the first turn. Call it once. */
  public void start() {
    thread.start();
  }

  /**
   * Asks for a turn that begins from now on, also when one is under way. Cheap while there is
   * nobody to wake.
   */
  public void wake() {
    // First say it, then look whether anybody waits; the thread does both the other way round.
    woken.set(true);
    if (waiting) {
      signal();
    }
  }

  private void signal() {
    lock.lock();
    try {
      changed.signalAll();
    } finally {
      lock.unlock();
    }
  }

  /** Whether a turn under way is to end soon. */
  public boolean isClosed() {
    return closed;
  }

  /** Leaves the processor to others for so long, or until this is closed. */
  public void pause(long nanos) {
    if (!closed) {
      LockSupport.parkNanos(this, nanos);
    }
  }

  /**
   * Waits until this is woken or closed, at most for so long.
   *
   * @return whether it was woken
   */
  public boolean awaitWake(long nanos) {
    waiting = true;
    lock.lock();
    try {
      long left = nanos;
      while (!woken.get() && !closed && left > 0) {
        left = changed.awaitNanos(left);
      }
      return woken.getAndSet(false);
    } catch (InterruptedException end) {
      closed = true;
      return false;
    } finally {
      lock.unlock();
      waiting = false;
    }
  }

  private void run() {
    boolean reason = true;
    while (!closed) {
      try {
        turn.run(reason);
      } catch (RuntimeException | Error failure) {
        // Nobody else would hear of an error, and what depends on the turns would wait for ever.
        LOG.warn("A turn of {} ended early; the next one follows", thread.getName(), failure);
        pause(PAUSE_AFTER_FAILURE_NANOS);
      }
      reason = awaitWake(periodNanos.getAsLong());
    }
  }

  /** As {@link #close}, and interrupts what a turn waits for; for turns that take no harm by it. */
  public void closeNow() {
    closed = true;
    thread.interrupt();
    close();
  }

  /**
   * Ends the thread and waits until it has ended, unless the caller is interrupted meanwhile. Safe
   * to call again, and without a start.
   */
  @Override
  public void close() {
    closed = true;
    signal();
    LockSupport.unpark(thread);
    try {
      thread.join();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }
}
