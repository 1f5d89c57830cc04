package io.trainingday.node.metrics;

import io.trainingday.node.metrics.NodeStats.Dataset;
import io.trainingday.node.metrics.NodeStats.Source;
import io.trainingday.node.metrics.NodeStats.Trainers;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * Keeps the number of time series bounded, however many data sets and tenants there are: so many
 * have a name of their own in the metrics, all others together are {@link #OTHER}. When there are
 * too many to begin with, the largest have one. A name once given is kept until the node is started
 * again, for a counter must not fall, neither its own nor that of the others.
 */
final class BoundedNames {
  /** What all that have no name of their own are called. */
  static final String OTHER = "other";

  private static final String MIXED = "mixed";

  private final int most;
  private final Set<String> datasets = new HashSet<>();
  private final Set<String> tenants = new HashSet<>();

  BoundedNames(int most) {
    this.most = most;
  }

  /**
   * The data sets with a name of their own, and behind them the others as one, if there are any.
   */
  synchronized List<Dataset> bounded(List<Dataset> all) {
    name(datasets, all.stream().sorted(BY_SIZE).map(Dataset::scopedName).toList());
    List<Dataset> bounded = new ArrayList<>();
    Dataset others = null;
    for (Dataset one : all) {
      if (datasets.contains(one.scopedName())) {
        bounded.add(one);
      } else {
        others = together(others == null ? none() : others, one);
      }
    }
    if (others != null) {
      bounded.add(others);
    }
    return bounded;
  }

  /**
   * What each of the data sets' tenants is called, and others.
   *
   * @param more whose names are given after those of data sets
   */
  synchronized Map<String, String> tenants(List<Dataset> all, List<String> more) {
    List<String> wanted = new ArrayList<>();
    all.stream().sorted(BY_SIZE).map(Dataset::tenant).forEach(wanted::add);
    wanted.addAll(more);
    name(tenants, wanted);
    Map<String, String> called = new HashMap<>();
    wanted.forEach(tenant -> called.put(tenant, tenants.contains(tenant) ? tenant : OTHER));
    return called;
  }

  private static final Comparator<Dataset> BY_SIZE =
      Comparator.comparingLong(Dataset::bytes)
          .thenComparingLong(Dataset::hits)
          .reversed()
          .thenComparing(Dataset::scopedName);

  private void name(Set<String> named, List<String> wanted) {
    for (String one : wanted) {
      // One that is really called so cannot be told from the others, and need not be.
      if (named.size() < most && !one.equals(OTHER)) {
        named.add(one);
      }
    }
  }

  private static Dataset none() {
    return new Dataset(
        NodeStats.DEFAULT_TENANT,
        OTHER,
        "",
        MIXED,
        MIXED,
        0,
        Source.NONE,
        Source.NONE,
        0,
        0,
        0,
        0,
        0,
        0,
        0,
        0,
        null,
        null,
        null,
        Map.of(),
        0,
        List.of(),
        Source.NONE,
        Trainers.NONE);
  }

  private static Dataset together(Dataset others, Dataset one) {
    Map<String, Long> refusals = new HashMap<>(others.refusals());
    one.refusals().forEach((reason, count) -> refusals.merge(reason, count, Long::sum));
    return new Dataset(
        others.tenant(),
        others.name(),
        others.host(),
        others.tier(),
        others.policy(),
        0,
        others.local().plus(one.local()),
        others.peer().plus(one.peer()),
        others.loads() + one.loads(),
        others.abandoned() + one.abandoned(),
        others.damaged() + one.damaged(),
        others.stale() + one.stale(),
        others.entries() + one.entries(),
        others.bytes() + one.bytes(),
        others.budgetBytes() + one.budgetBytes(),
        0,
        null,
        null,
        null,
        refusals,
        others.evictions() + one.evictions(),
        List.of(),
        others.disk().plus(one.disk()),
        others.trainers().plus(one.trainers()));
  }
}
