package io.trainingday.node.versions;

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
  }

  /** By data set hash ({@link OpenDataset#datasetHash}); of whom nothing is held may be missing. */
  Map<Long, Held> held();
}
