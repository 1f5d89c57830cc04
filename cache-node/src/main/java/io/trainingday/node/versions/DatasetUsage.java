package io.trainingday.node.versions;

import java.util.HashSet;
import java.util.Map;
import java.util.Set;

/** Tells what the grid holds of its data sets. */
public interface DatasetUsage {
  /**
   * What all nodes hold together.
   *
   * @param entries records, each copy counted
   * @param bytes they take, each copy counted
   * @param hosts that hold any, by host id
   */
  record Held(long entries, long bytes, Set<String> hosts) {
    public static final Held NOTHING = new Held(0, 0, Set.of());

    public Held {
      hosts = Set.copyOf(hosts);
    }

    /** Both together. */
    public Held plus(Held other) {
      Set<String> all = new HashSet<>(hosts);
      all.addAll(other.hosts);
      return new Held(entries + other.entries, bytes + other.bytes, all);
    }
  }

  /** By data set hash ({@link OpenDataset#datasetHash}); of whom nothing is held may be missing. */
  Map<Long, Held> held();
}
