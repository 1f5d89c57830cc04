package io.trainingday.grid;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.UUID;
import java.util.stream.IntStream;
import org.apache.ignite.cache.affinity.AffinityCentralizedFunction;
import org.apache.ignite.cache.affinity.AffinityFunction;
import org.apache.ignite.cache.affinity.AffinityFunctionContext;
import org.apache.ignite.cluster.ClusterNode;
import org.jspecify.annotations.Nullable;

/**
 * Which nodes hold which partition: every node its share by its memory for samples ({@link
 * NodeAttributes#BUDGET_BYTES}), the floor or the ceiling of {@code partitions × budget ÷ sum of
 * budgets}, of primaries and of all copies alike; see {@link BoundedLoad}. A join moves what the
 * joiner is to hold, a leave what the leaver held.
 *
 * <h2>Why all nodes compute the same</h2>
 *
 * That few partitions move takes the assignment before, so nodes agree only as long as they agreed
 * before. Ignite sees to that, and this class to the rest:
 *
 * <ul>
 *   <li>A node that joins has no assignment before. The annotation {@link
 *       AffinityCentralizedFunction} makes the coordinator send it the one computed for the very
 *       exchange it joins in.
 *   <li>All nodes compute at the end of the same exchanges, with the nodes of their resulting
 *       version: merged exchanges are one, and a coordinator that takes over either finishes an
 *       exchange by the full message that somebody has got, or starts it anew when nobody has
 *       computed anything.
 *   <li>A node may compute where another one does not, if the names of the nodes are the same as
 *       before: after a node left and came back within one exchange, and on a node that sees its
 *       first change. So for equal names the assignment stays as it is, whatever else about them
 *       has changed; the next join or leave takes it into account. Nodes are told apart by name
 *       (Ignite's consistent id), which they keep over a restart, never by the id of one run.
 *   <li>Nodes that are away do not count. Ignite keeps a place for them only in a persistent grid
 *       or with automatic baseline adjustment switched off, and a node that joins is not told of
 *       it; ours is neither.
 * </ul>
 *
 * <p>The first node of a grid starts from nothing, and so does the oldest of those that are left
 * when everybody who knew the assignment is gone; the others get theirs from it.
 */
@AffinityCentralizedFunction
public final class BoundedLoadAffinity implements AffinityFunction {
  private static final long serialVersionUID = 1L;

  private final int partitions;

  /**
   * @param partitions a power of two
   */
  BoundedLoadAffinity(int partitions) {
    if (Integer.bitCount(partitions) != 1) {
      throw new IllegalArgumentException("partitions=" + partitions + ", allowed: a power of two");
    }
    this.partitions = partitions;
  }

  /**
   * The partition of a sample's index, as {@code contract/placement.md} has it.
   *
   * @param partitions a power of two
   */
  public static int partition(long index, int partitions) {
    return partition(Long.hashCode(index), partitions);
  }

  private static int partition(int hash, int partitions) {
    return (hash ^ hash >>> 16) & partitions - 1;
  }

  /**
   * Which of some nodes would be each partition's primary, in a grid that began with all of them:
   * each on a host of its own, with equally much memory.
   *
   * @param partitions a power of two
   * @param nodes at least 1
   * @return by partition, a number from 0 to nodes − 1
   */
  public static int[] primariesOf(int partitions, int nodes) {
    List<Seat> seats =
        IntStream.range(0, nodes)
            .mapToObj(node -> new Seat("node-" + node, 1, "host-" + node, null))
            .toList();
    int[][] nobody = new int[partitions][];
    Arrays.fill(nobody, new int[] {BoundedLoad.NONE});
    return Arrays.stream(BoundedLoad.place(partitions, 1, seats, nobody))
        .mapToInt(row -> row[0])
        .toArray();
  }

  @Override
  public int partition(Object key) {
    return partition(key.hashCode(), partitions);
  }

  @Override
  public int partitions() {
    return partitions;
  }

  @Override
  public List<List<ClusterNode>> assignPartitions(AffinityFunctionContext context) {
    List<ClusterNode> nodes = new ArrayList<>(context.currentTopologySnapshot());
    if (nodes.isEmpty()) {
      return Collections.nCopies(partitions, List.of());
    }
    nodes.sort(Comparator.comparing(BoundedLoadAffinity::name));
    Map<String, Integer> indices = new HashMap<>();
    for (int i = 0; i < nodes.size(); i++) {
      indices.put(name(nodes.get(i)), i);
    }
    int copies = Math.min(nodes.size(), context.backups() + 1);
    Set<String> before = new HashSet<>();
    int[][] previous = new int[partitions][];
    for (int partition = 0; partition < partitions; partition++) {
      List<String> held = names(context.previousAssignment(partition));
      before.addAll(held);
      previous[partition] = row(held, indices);
    }
    boolean same =
        before.equals(indices.keySet())
            && Arrays.stream(previous).allMatch(row -> row.length == copies);
    int[][] placed =
        same ? previous : BoundedLoad.place(partitions, copies, seats(nodes), previous);
    List<List<ClusterNode>> assignment = new ArrayList<>(partitions);
    for (int[] row : placed) {
      List<ClusterNode> assigned = new ArrayList<>(row.length);
      for (int node : row) {
        assigned.add(nodes.get(node));
      }
      assignment.add(assigned);
    }
    return assignment;
  }

  private static List<String> names(@Nullable List<ClusterNode> nodes) {
    return nodes == null ? List.of() : nodes.stream().map(BoundedLoadAffinity::name).toList();
  }

  /** The nodes that are still there, and a gap where the primary is not. */
  private static int[] row(List<String> held, Map<String, Integer> indices) {
    int[] all =
        held.stream().mapToInt(name -> indices.getOrDefault(name, BoundedLoad.NONE)).toArray();
    int primary = all.length == 0 ? BoundedLoad.NONE : all[0];
    return IntStream.concat(
            IntStream.of(primary),
            Arrays.stream(all).skip(1).filter(node -> node != BoundedLoad.NONE))
        .toArray();
  }

  private static List<Seat> seats(List<ClusterNode> nodes) {
    return nodes.stream()
        .map(
            node -> {
              Long budget = node.attribute(NodeAttributes.BUDGET_BYTES);
              String host = node.attribute(NodeAttributes.HOST_ID);
              return new Seat(
                  name(node),
                  budget == null ? 0 : budget,
                  host == null ? name(node) : host,
                  node.attribute(NodeAttributes.ZONE));
            })
        .toList();
  }

  private static String name(ClusterNode node) {
    return node.consistentId().toString();
  }

  @Override
  public void reset() {
    // There is nothing to initialize.
  }

  @Override
  public void removeNode(UUID nodeId) {
    // Nothing is remembered of nodes.
  }
}
