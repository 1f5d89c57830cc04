package io.trainingday.node.metrics;

import io.trainingday.node.latency.Latency;
import java.util.Map;

/**
 * How long things took on one node, since its start.
 *
 * @param batches from request to answer, without waiting for others to load, by the farthest source
 *     that the batch had a sample from: {@code local}, {@code disk}, {@code peer}, {@code origin}
 * @param fills from taking a record until it was written
 * @param peerReads from asking another node until it had answered
 * @param publishes from the request until it held on all nodes
 */
public record NodeLatencies(
    Map<String, Latency.Snapshot> batches,
    Latency.Snapshot fills,
    Latency.Snapshot peerReads,
    Latency.Snapshot publishes) {
  public NodeLatencies {
    batches = Map.copyOf(batches);
  }
}
