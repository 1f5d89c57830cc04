package io.trainingday.node.lane;

import io.trainingday.node.latency.Latency;
import java.util.EnumMap;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;

/** How long what the lane does takes. Safe for any number of threads. */
final class LaneLatencies {
  private final Map<ReadSource, Latency> batches = new EnumMap<>(ReadSource.class);
  private final Latency peerReads = new Latency();
  private final Latency publishes = new Latency();

  LaneLatencies() {
    for (ReadSource source : ReadSource.values()) {
      batches.put(source, new Latency());
    }
  }

  /**
   * A batch was answered.
   *
   * @param slowest the farthest source that it has a sample from
   * @param nanos from request to answer, without waiting for others to load
   */
  void batch(ReadSource slowest, long nanos) {
    Latency latency = batches.get(slowest);
    if (latency != null) {
      latency.count(nanos);
    }
  }

  /** Another node has answered a read, all of it. */
  void peerRead(long nanos) {
    peerReads.count(nanos);
  }

  /** A data set was published, or samples of it invalidated, on all nodes. */
  void publish(long nanos) {
    publishes.count(nanos);
  }

  Map<String, Latency.Snapshot> batches() {
    Map<String, Latency.Snapshot> bySource = new TreeMap<>();
    batches.forEach(
        (source, latency) ->
            bySource.put(source.name().toLowerCase(Locale.ROOT), latency.snapshot()));
    return bySource;
  }

  Latency.Snapshot peerReads() {
    return peerReads.snapshot();
  }

  Latency.Snapshot publishes() {
    return publishes.snapshot();
  }
}
