package io.trainingday.client;

import io.trainingday.lane.OwnersMessage;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;

/**
 * Which cache node holds which partition of a data set, at one time. Immutable. Ownerships of one
 * data set and equal {@code topologyVersion} are equal, whichever node told them, but for {@link
 * Node#local}.
 *
 * @param topologyVersion grows with every change
 * @param nodes of the grid
 * @param primaries per partition, the place in {@code nodes} of the node that holds its first copy
 */
public record Ownership(long topologyVersion, List<Node> nodes, List<Integer> primaries) {
  public Ownership {
    nodes = List.copyOf(nodes);
    primaries = List.copyOf(primaries);
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
    return primaries.size();
  }

  /** The node that holds the first copy of a partition. */
  public Node primary(int partition) {
    return nodes.get(primaries.get(partition));
  }

  static Ownership of(OwnersMessage.Reply reply) {
    return new Ownership(
        reply.topologyVersion(),
        reply.members().stream().map(Ownership::node).toList(),
        Arrays.stream(reply.primaries()).boxed().toList());
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
