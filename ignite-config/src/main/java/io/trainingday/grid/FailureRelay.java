package io.trainingday.grid;

import java.util.concurrent.atomic.AtomicBoolean;
import org.apache.ignite.Ignite;
import org.apache.ignite.Ignition;
import org.apache.ignite.failure.AbstractFailureHandler;
import org.apache.ignite.failure.FailureContext;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Tells the owner of a failure and stops the node in order; never halts the JVM. A full data region
 * is no reason to stop: reads go on, and stopping would lose what fits.
 */
final class FailureRelay extends AbstractFailureHandler {
  /** Ignite keeps this class internal; a test holds that it is still there. */
  static final String MEMORY_FULL = "org.apache.ignite.internal.mem.IgniteOutOfMemoryException";

  private static final Logger log = LoggerFactory.getLogger(FailureRelay.class);

  private final GridListener listener;
  private final AtomicBoolean failed = new AtomicBoolean();

  FailureRelay(GridListener listener) {
    this.listener = listener;
  }

  @Override
  protected boolean handle(Ignite ignite, FailureContext failure) {
    String cause = failure.type() + ": " + failure.error();
    if (isMemoryFull(failure.error())) {
      log.warn("A data region of the grid is full, nothing more is admitted: {}", cause);
      listener.memoryFull(cause);
      return false;
    }
    stop(ignite.name(), cause);
    return true;
  }

  /** Tells the owner why the node cannot go on, and stops it. Does nothing the second time. */
  void stop(String ignite, String cause) {
    if (failed.compareAndSet(false, true)) {
      log.error("The grid node {} fails and is stopped: {}", ignite, cause);
      // Told first: the stop begins at once, and whoever hears of it should know why.
      listener.failed(cause);
      // The caller is on a thread that stopping waits for.
      new Thread(() -> Ignition.stop(ignite, true), "training-day-grid-stop").start();
    }
  }

  private static boolean isMemoryFull(Throwable error) {
    Throwable cause = error;
    // A cause may come round again.
    for (int depth = 0; cause != null && depth < 64; depth++) {
      if (cause.getClass().getName().equals(MEMORY_FULL)) {
        return true;
      }
      for (Throwable suppressed : cause.getSuppressed()) {
        if (suppressed.getClass().getName().equals(MEMORY_FULL)) {
          return true;
        }
      }
      cause = cause.getCause();
    }
    return false;
  }
}
