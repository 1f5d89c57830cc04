package io.trainingday.node.versions;

import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;
import java.util.UUID;

/** Tells what the grid holds of its data sets. */
public interface DatasetUsage {
  /**
   * What all nodes hold together.
   *
   * @param entries records, each copy counted
   * @param bytes they take, each copy counted
   * @param hosts that hold any, by host id
   * @param nodes that hold any, by node id
   * @param pipelines records by the hash of their pipeline ({@link OpenDataset#pipelineHash}), each
   *     copy counted
   */
  record Held(
      long entries, long bytes, Set<String> hosts, Set<UUID> nodes, Map<Long, Long> pipelines) {
    public static final Held NOTHING = new Held(0, 0, Set.of(), Set.of(), Map.of());

    public Held {
      hosts = Set.copyOf(hosts);
      nodes = Set.copyOf(nodes);
      pipelines = Map.copyOf(pipelines);
    }

    /** Both together. */
    public Held plus(Held other) {
      Map<Long, Long> byPipeline = new HashMap<>(pipelines);
      other.pipelines.forEach(
          (pipeline, records) -> byPipeline.merge(pipeline, records, Long::sum));
      return new Held(
          entries + other.entries,
          bytes + other.bytes,
          union(hosts, other.hosts),
          union(nodes, other.nodes),
          byPipeline);
    }

    private static <T> Set<T> union(Set<T> one, Set<T> other) {
      Set<T> all = new HashSet<>(one);
      all.addAll(other);
      return all;
    }
  }

  /** By data set hash ({@link OpenDataset#datasetHash}); of whom nothing is held may be missing. */
  Map<Long, Held> held();
}
