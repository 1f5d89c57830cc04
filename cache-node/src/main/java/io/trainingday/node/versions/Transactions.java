package io.trainingday.node.versions;

import java.time.Duration;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Supplier;
import javax.cache.CacheException;
import org.apache.ignite.Ignite;
import org.apache.ignite.IgniteException;
import org.apache.ignite.cluster.ClusterTopologyException;
import org.apache.ignite.lang.IgniteFuture;
import org.apache.ignite.transactions.Transaction;
import org.apache.ignite.transactions.TransactionConcurrency;
import org.apache.ignite.transactions.TransactionIsolation;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Runs work in transactions that survive what happens in a grid: nodes that come, go, pause and die
 * at any moment of it.
 *
 * <p>Ignite then ends a transaction with an error after which it may have been rolled back,
 * committed, or neither yet. So the work must be such that it can be done again: it looks first
 * whether it was.
 */
final class Transactions {
  private static final Logger LOG = LoggerFactory.getLogger(Transactions.class);
  private static final long ATTEMPT_MILLIS = 10_000;
  private static final long FIRST_PAUSE_NANOS = TimeUnit.MILLISECONDS.toNanos(5);
  private static final long LONGEST_PAUSE_NANOS = TimeUnit.MILLISECONDS.toNanos(500);

  private final Ignite ignite;
  private final long patienceNanos;

  /**
   * @param patience how long all attempts may take together
   */
  Transactions(Ignite ignite, Duration patience) {
    this.ignite = ignite;
    this.patienceNanos = patience.toNanos();
  }

  /** When what begins now must have succeeded. */
  long deadline() {
    return System.nanoTime() + patienceNanos;
  }

  /**
   * The result of {@code work}, committed.
   *
   * @param what it does, for the error
   * @param work may be run several times, one after the other
   * @throws GridUnavailableException when no attempt succeeds before the deadline
   */
  <T> T run(String what, long deadlineNanos, Supplier<T> work) {
    for (long pause = FIRST_PAUSE_NANOS; ; pause = Math.min(2 * pause, LONGEST_PAUSE_NANOS)) {
      try {
        return once(deadlineNanos, work);
      } catch (CacheException | IgniteException e) {
        LOG.debug("{}: an attempt failed.", what, e);
        if (deadlineNanos - System.nanoTime() <= 0) {
          throw unavailable(what, e);
        }
        awaitGrid(e, Math.min(pause, deadlineNanos - System.nanoTime()), deadlineNanos);
      } catch (IllegalStateException stopping) {
        throw unavailable(what, stopping);
      }
    }
  }

  private <T> T once(long deadlineNanos, Supplier<T> work) {
    long left = TimeUnit.NANOSECONDS.toMillis(deadlineNanos - System.nanoTime());
    try (Transaction transaction =
        ignite
            .transactions()
            .txStart(
                TransactionConcurrency.PESSIMISTIC,
                TransactionIsolation.REPEATABLE_READ,
                Math.max(1, Math.min(ATTEMPT_MILLIS, left)),
                0)) {
      T result = work.get();
      transaction.commit();
      return result;
    }
  }

  /** Waits until the grid has a new shape, if that was the trouble, else a little. */
  private static void awaitGrid(Throwable trouble, long pauseNanos, long deadlineNanos) {
    IgniteFuture<?> ready = readyAgain(trouble);
    if (ready == null) {
      LockSupport.parkNanos(pauseNanos);
      return;
    }
    try {
      ready.get(Math.max(1, deadlineNanos - System.nanoTime()), TimeUnit.NANOSECONDS);
    } catch (IgniteException e) {
      LOG.debug("The grid has no new shape.", e);
    }
  }

  private static @Nullable IgniteFuture<?> readyAgain(Throwable trouble) {
    for (Throwable cause = trouble; cause != null; cause = cause.getCause()) {
      if (cause instanceof ClusterTopologyException topology) {
        return topology.retryReadyFuture();
      }
    }
    return null;
  }

  private static GridUnavailableException unavailable(String what, RuntimeException cause) {
    return new GridUnavailableException(
        "%s: the grid did not do it in time, repeat it: %s".formatted(what, cause.getMessage()),
        cause);
  }
}
