package io.trainingday.node;

import java.util.Optional;
import org.jspecify.annotations.Nullable;

/** How far a node's life has come: it works, has failed, or is stopping. Thread-safe. */
final class NodeCondition {
  private volatile @Nullable String failure;
  private volatile boolean leaving;
  private volatile boolean stopping;

  void fail(String cause) {
    failure = cause;
  }

  /** It hands over, and goes on answering meanwhile. */
  void leave() {
    leaving = true;
  }

  /** What it consists of is being closed. */
  void stop() {
    stopping = true;
  }

  boolean isStopping() {
    return stopping;
  }

  /** Why the node failed or is stopping, or empty while it works. */
  Optional<String> failure() {
    return Optional.ofNullable(failure);
  }

  /** Why no trainer should come any more, or empty. */
  Optional<String> notReady() {
    return stopping || leaving ? Optional.of("the node is stopping") : failure();
  }
}
