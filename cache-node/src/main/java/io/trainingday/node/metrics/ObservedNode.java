package io.trainingday.node.metrics;

import java.util.Optional;

/**
 * What {@link MetricsServer} asks a node. Called from any thread, at any time, also in parallel.
 */
public interface ObservedNode {
  /** The node's figures now. Cheap enough for a scrape every second. */
  NodeStats stats();

  /** How long things took. As cheap. */
  NodeLatencies latencies();

  /** Why the node should be restarted, or empty while it works. */
  Optional<String> notLive();

  /** Why no trainer should be sent here now, or empty when one may. */
  Optional<String> notReady();
}
