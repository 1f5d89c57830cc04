package io.trainingday.node.ownership;

import io.trainingday.grid.BoundedLoadAffinity;
import java.util.List;

/**
 * Which nodes hold which partition, for one number of backups. Immutable. Two nodes' tables of
 * equal topology version have equal primaries; that a backup has arrived one of them may know some
 * milliseconds before the other.
 */
public final class OwnershipTable {
  private final long topologyVersion;
  private final List<Member> members;
  private final List<List<Member>> copies;
  private final boolean[] local;
  private final int recordFormat;

  /**
   * @param topologyVersion grows with every change of members and primaries
   * @param members every node, each once
   * @param copies for every partition the nodes that hold all of it, its primary first; at least
   *     one
   */
  public OwnershipTable(long topologyVersion, List<Member> members, List<List<Member>> copies) {
    this.topologyVersion = topologyVersion;
    this.members = List.copyOf(members);
    this.copies = copies.stream().map(List::copyOf).toList();
    recordFormat = this.members.stream().mapToInt(Member::recordFormat).min().orElse(1);
    local = new boolean[copies.size()];
    for (int partition = 0; partition < local.length; partition++) {
      if (this.copies.get(partition).isEmpty()) {
        throw new IllegalArgumentException("partition " + partition + " has no copy");
      }
      local[partition] = this.copies.get(partition).stream().anyMatch(Member::local);
    }
  }

  /** Grows with every change of members and primaries. */
  public long topologyVersion() {
    return topologyVersion;
  }

  /** How many partitions there are, a power of two. */
  public int partitions() {
    return local.length;
  }

  /** The partition of a sample's index, as {@code contract/placement.md} has it. */
  public int partition(long index) {
    return BoundedLoadAffinity.partition(index, local.length);
  }

  /** The node that writes the partition and keeps its leases. */
  public Member primary(int partition) {
    return copies.get(partition).get(0);
  }

  /** The nodes that hold all of the partition, its primary first. */
  public List<Member> copies(int partition) {
    return copies.get(partition);
  }

  /** Whether this node holds all of the partition. */
  public boolean isLocal(int partition) {
    return local[partition];
  }

  /** The newest format of records that every node reads. */
  public int recordFormat() {
    return recordFormat;
  }

  /** Every node of the grid. */
  public List<Member> members() {
    return members;
  }
}
