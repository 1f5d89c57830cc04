package io.trainingday.grid;

import java.util.ArrayList;
import java.util.Collections;
import java.util.HashSet;
import java.util.List;
import java.util.Objects;
import java.util.Random;
import java.util.Set;
import java.util.stream.Collectors;
import org.apache.ignite.cache.affinity.AffinityFunctionContext;
import org.apache.ignite.cluster.ClusterNode;
import org.apache.ignite.events.DiscoveryEvent;
import org.apache.ignite.internal.processors.affinity.AffinityTopologyVersion;
import org.jspecify.annotations.Nullable;

/** Nodes that come and go, and what the affinity function makes of it for 0, 1 and 2 backups. */
final class FakeGrid {
  static final int MAX_BACKUPS = 2;

  private final BoundedLoadAffinity affinity;
  private final Random order = new Random(1);
  private final List<FakeNode> nodes = new ArrayList<>();
  private final List<@Nullable List<List<ClusterNode>>> assignments =
      new ArrayList<>(Collections.nCopies(MAX_BACKUPS + 1, null));

  /** Copies that were made where there was none in the last step, by number of backups. */
  private final int[] moved = new int[MAX_BACKUPS + 1];

  FakeGrid(int partitions) {
    affinity = new BoundedLoadAffinity(partitions);
  }

  static FakeGrid of(int partitions, int nodes, long budget) {
    FakeGrid grid = new FakeGrid(partitions);
    for (int i = 0; i < nodes; i++) {
      grid.join(new FakeNode("node-" + i, budget, "host-" + i, null));
    }
    return grid;
  }

  void join(FakeNode node) {
    change(List.of(), List.of(node));
  }

  void leave(FakeNode node) {
    change(List.of(node), List.of());
  }

  /** Several nodes leave and join in one exchange. */
  void change(List<FakeNode> left, List<FakeNode> joined) {
    nodes.removeAll(left);
    nodes.addAll(joined);
    recompute();
  }

  void recompute() {
    for (int backups = 0; backups <= MAX_BACKUPS; backups++) {
      List<List<ClusterNode>> before = assignments.get(backups);
      List<List<ClusterNode>> after = assign(backups, before);
      assignments.set(backups, after);
      moved[backups] = before == null ? 0 : moved(before, after);
    }
  }

  /** What a node computes that was told an assignment. */
  List<List<ClusterNode>> assign(int backups, @Nullable List<List<ClusterNode>> previous) {
    // No node may depend on the order it is told of the others in.
    List<ClusterNode> shuffled = new ArrayList<>(nodes);
    Collections.shuffle(shuffled, order);
    return affinity.assignPartitions(new Context(shuffled, previous, backups));
  }

  private static int moved(List<List<ClusterNode>> before, List<List<ClusterNode>> after) {
    int moved = 0;
    for (int partition = 0; partition < after.size(); partition++) {
      Set<Object> held = new HashSet<>();
      before.get(partition).forEach(node -> held.add(node.consistentId()));
      for (ClusterNode node : after.get(partition)) {
        moved += held.contains(node.consistentId()) ? 0 : 1;
      }
    }
    return moved;
  }

  List<FakeNode> nodes() {
    return nodes;
  }

  int partitions() {
    return affinity.partitions();
  }

  int moved(int backups) {
    return moved[backups];
  }

  List<List<ClusterNode>> assignment(int backups) {
    return Objects.requireNonNull(assignments.get(backups));
  }

  /** How many partitions the node is primary for. */
  int primaries(FakeNode node, int backups) {
    return Math.toIntExact(
        assignment(backups).stream().filter(row -> row.get(0).equals(node)).count());
  }

  /** How many copies the node holds. */
  int copies(FakeNode node, int backups) {
    return Math.toIntExact(assignment(backups).stream().filter(row -> row.contains(node)).count());
  }

  /**
   * The node's part of so many things, which need not be whole. No node can have more of them than
   * there are partitions; the others then have more.
   */
  double share(FakeNode node, int total) {
    Set<FakeNode> full = new HashSet<>();
    while (true) {
      double rest = total - (double) full.size() * partitions();
      long budgets =
          nodes.stream().filter(n -> !full.contains(n)).mapToLong(FakeNode::budget).sum();
      Set<FakeNode> more =
          nodes.stream()
              .filter(n -> !full.contains(n) && rest * n.budget() / budgets > partitions())
              .collect(Collectors.toSet());
      if (more.isEmpty()) {
        return full.contains(node) ? partitions() : rest * node.budget() / budgets;
      }
      full.addAll(more);
    }
  }

  private record Context(
      List<ClusterNode> nodes, @Nullable List<List<ClusterNode>> previous, int backups)
      implements AffinityFunctionContext {
    @Override
    public @Nullable List<ClusterNode> previousAssignment(int partition) {
      return previous == null ? null : previous.get(partition);
    }

    @Override
    public List<ClusterNode> currentTopologySnapshot() {
      return nodes;
    }

    @Override
    public AffinityTopologyVersion currentTopologyVersion() {
      throw new UnsupportedOperationException();
    }

    @Override
    public @Nullable DiscoveryEvent discoveryEvent() {
      return null;
    }
  }
}
