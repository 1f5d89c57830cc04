package io.trainingday.client;

import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * What has been said about a node that is away: once for each time it is, and not again and again
 * when it comes and goes. Not thread-safe.
 */
final class Notices {
  private static final long REPEAT_NANOS = TimeUnit.MINUTES.toNanos(1);

  private final Notice elsewhere = new Notice();
  private final Notice nowhere = new Notice();

  private static final class Notice {
    private boolean said;
    private @Nullable Long saidNanos;

    boolean may() {
      long now = System.nanoTime();
      if (said || (saidNanos != null && now - saidNanos < REPEAT_NANOS)) {
        return false;
      }
      said = true;
      saidNanos = now;
      return true;
    }
  }

  /** Whether to say that another node has taken the place; if so, it counts as said. */
  boolean mayTellOfElsewhere() {
    nowhere.said = false;
    return elsewhere.may();
  }

  /** Whether to say that there is no node; if so, it counts as said. */
  boolean mayTellOfNowhere() {
    return nowhere.may();
  }

  /** Whether something was said that is no longer so once the node is back. */
  boolean isSomethingSaid() {
    return elsewhere.said || nowhere.said;
  }

  void homeAgain() {
    elsewhere.said = false;
    nowhere.said = false;
  }
}
