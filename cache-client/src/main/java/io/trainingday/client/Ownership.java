package io.trainingday.client;

import io.trainingday.lane.OwnersMessage;
import io.trainingday.sampling.OwnershipSnapshot;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;

/**
 * Which cache nodes hold which partition of a data set, at one time. Immutable. Ownerships of one
 * data set and equal {@code topologyVersion} have equal nodes and primaries, whichever node told
 * them, but for {@link Node#local}.
 *
 * @param topologyVersion grows with every change of nodes and primaries
 * @param nodes of the grid
 * @param holders per partition, the places in {@code nodes} of those that hold all of it, its
 *     primary first
 */
public record Ownership(long topologyVersion, List<Node> nodes, List<List<Integer>> holders) {
  public Ownership {
    nodes = List.copyOf(nodes);
    holders = holders.stream().map(List::copyOf).toList();
  }

  /**
   * One cache node.
   *
   * @param name unique in the grid, the same after a restart
   * @param hostId of the host it runs on
   * @param laneAddress {@code HOST:PORT} of its lane over TCP, if it has one
   * @param budgetBytes of memory for samples
   * @param local whether it is the node that was asked
   */
  public record Node(
      String name, String hostId, Optional<String> laneAddress, long budgetBytes, boolean local) {}

  /** How many partitions there are. */
  public int partitions() {
    return holders.size();
  }

  /** The partition of a sample, as {@code contract/placement.md} has it. */
  public int partitionOf(long index) {
    return partitionOf(index, partitions());
  }

  /**
   * @param partitions a power of two
   */
  static int partitionOf(long index, int partitions) {
    return OwnershipSnapshot.partitionOf(index, partitions);
  }

  /** The node that holds the first copy of a partition. */
  public Node primary(int partition) {
    return nodes.get(holders.get(partition).get(0));
  }

  /** The nodes that hold all of a partition, its primary first; at least one. */
  public List<Node> copies(int partition) {
    return holders.get(partition).stream().map(nodes::get).toList();
  }

  /**
   * What the ranks of an epoch take as given of it: one of them passes its {@code toBytes} on to
   * the others.
   *
   * @throws IllegalArgumentException if this is of no data set
   */
  public OwnershipSnapshot snapshot() {
    return OwnershipSnapshot.of(
        topologyVersion,
        holders.stream()
            .map(places -> places.stream().map(nodes::get).map(Ownership::hostId).toList())
            .toList());
  }

  /** The id of a node's host; a node that has none is a host by itself. */
  private static String hostId(Node node) {
    return node.hostId().isEmpty() ? "?" + node.name() : node.hostId();
  }

  static Ownership of(OwnersMessage.Reply reply) {
    return new Ownership(
        reply.topologyVersion(),
        reply.members().stream().map(Ownership::node).toList(),
        Arrays.stream(reply.copies())
            .map(places -> Arrays.stream(places).boxed().toList())
            .toList());
  }

  private static Node node(OwnersMessage.Member member) {
    return new Node(
        member.name(),
        member.hostId(),
        member.laneAddress().isEmpty() ? Optional.empty() : Optional.of(member.laneAddress()),
        member.budgetBytes(),
        member.local());
  }
}
