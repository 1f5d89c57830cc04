package io.trainingday.grid;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.function.Function;
import org.apache.ignite.cluster.ClusterNode;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** The figures that placement is to meet with the default number of partitions. */
class BoundedLoadAffinityTest {
  private static final int PARTITIONS = 1024;
  private static final long GIB = 1L << 30;

  @ParameterizedTest
  @ValueSource(ints = {3, 8, 64})
  void equalBudgets_noNodeHoldsMoreThan1Point05OfItsShare(int nodes) {
    FakeGrid grid = FakeGrid.of(PARTITIONS, nodes, GIB);
    for (FakeNode node : grid.nodes()) {
      for (int backups = 0; backups <= FakeGrid.MAX_BACKUPS; backups++) {
        double copies = grid.share(node, PARTITIONS * (backups + 1));
        assertThat((double) grid.copies(node, backups)).isBetween(0.95 * copies, 1.05 * copies);
        double share = grid.share(node, PARTITIONS);
        assertThat((double) grid.primaries(node, backups))
            .isBetween(Math.floor(share), Math.ceil(share));
      }
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {5, 8, 64})
  void unequalBudgets_everyNodeHoldsItsShare(int nodes) {
    FakeGrid grid = new FakeGrid(PARTITIONS);
    for (int i = 0; i < nodes; i++) {
      grid.join(new FakeNode("node-" + i, (2 + i % 4) * GIB, "host-" + i, null));
    }
    for (FakeNode node : grid.nodes()) {
      for (int backups = 0; backups <= FakeGrid.MAX_BACKUPS; backups++) {
        double share = grid.share(node, PARTITIONS);
        assertThat((double) grid.primaries(node, backups))
            .isBetween(Math.floor(share), Math.ceil(share));
        double copies = grid.share(node, PARTITIONS * (backups + 1));
        assertThat((double) grid.copies(node, backups))
            .isBetween(Math.floor(copies) - 1, Math.ceil(copies) + 1);
      }
    }
  }

  @Test
  void budgetOfMoreThanOnePartOfCopies_holdsEveryPartitionOnce() {
    FakeGrid grid = new FakeGrid(PARTITIONS);
    grid.join(new FakeNode("large", 10 * GIB, "host-0", null));
    grid.join(new FakeNode("small", GIB, "host-1", null));
    grid.join(new FakeNode("tiny", GIB, "host-2", null));
    assertThat(grid.nodes().stream().map(node -> grid.copies(node, 1)))
        .containsExactly(PARTITIONS, PARTITIONS / 2, PARTITIONS / 2);
    assertThat(grid.nodes().stream().map(node -> grid.copies(node, 2))).containsOnly(PARTITIONS);
  }

  @ParameterizedTest
  @ValueSource(ints = {2, 3, 8, 64})
  void join_movesWhatTheJoinerIsToHold(int nodes) {
    FakeGrid grid = FakeGrid.of(PARTITIONS, nodes, GIB);
    FakeNode joiner = new FakeNode("joiner", GIB, "host-new", null);
    grid.join(joiner);
    for (int backups = 0; backups <= FakeGrid.MAX_BACKUPS; backups++) {
      // With fewer nodes than copies before, every partition gets a copy more.
      int added = Math.max(0, Math.min(backups + 1, nodes + 1) - Math.min(backups + 1, nodes));
      double share = Math.max(added * PARTITIONS, grid.share(joiner, PARTITIONS * (backups + 1)));
      assertThat((double) grid.moved(backups)).isLessThanOrEqualTo(1.2 * share);
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {4, 8, 64})
  void leave_movesWhatTheLeaverHeld_andNoPrimaryThatIsThere(int nodes) {
    FakeGrid grid = FakeGrid.of(PARTITIONS, nodes, GIB);
    FakeNode leaver = grid.nodes().get(nodes / 2);
    List<List<ClusterNode>> before = grid.assignment(0);
    int[] held = new int[FakeGrid.MAX_BACKUPS + 1];
    for (int backups = 0; backups <= FakeGrid.MAX_BACKUPS; backups++) {
      held[backups] = grid.copies(leaver, backups);
    }
    grid.leave(leaver);
    for (int backups = 0; backups <= FakeGrid.MAX_BACKUPS; backups++) {
      assertThat((double) grid.moved(backups)).isLessThanOrEqualTo(1.2 * held[backups]);
    }
    assertThat(grid.moved(0)).isEqualTo(held[0]);
    for (int partition = 0; partition < PARTITIONS; partition++) {
      ClusterNode primary = before.get(partition).get(0);
      if (!primary.equals(leaver)) {
        assertThat(grid.assignment(0).get(partition)).containsExactly(primary);
      }
    }
  }

  @ParameterizedTest
  @CsvSource({"8, 4, 0", "64, 4, 0", "64, 8, 0", "6, 3, 2"}) // Three zones have no room to spare.
  void zonesOfEqualSize_holdNoTwoCopiesOfOnePartition(int nodes, int zones, int atMost) {
    FakeGrid grid = new FakeGrid(PARTITIONS);
    for (int i = 0; i < nodes; i++) {
      grid.join(new FakeNode("node-" + i, GIB, "host-" + i, "zone-" + i % zones));
    }
    assertThat(together(grid, 1, FakeNode::zone)).isZero();
    assertThat(together(grid, 2, FakeNode::zone)).isLessThanOrEqualTo(atMost);
  }

  @ParameterizedTest
  @CsvSource({"4, 2", "8, 2", "64, 2"})
  void nodesOfOneHost_holdNoTwoCopiesOfOnePartition(int nodes, int nodesOfAHost) {
    FakeGrid grid = new FakeGrid(PARTITIONS);
    for (int i = 0; i < nodes; i++) {
      grid.join(new FakeNode("node-" + i, GIB, "host-" + i / nodesOfAHost, null));
    }
    assertThat(together(grid, 1, FakeNode::host)).isZero();
    assertThat(together(grid, 2, FakeNode::host))
        .isEqualTo(nodes / nodesOfAHost >= 3 ? 0 : PARTITIONS);
  }

  @Test
  void hostWithMoreThanItsPart_holdsSomePartitionsTwice_butNeverFewerCopies() {
    FakeGrid grid = new FakeGrid(PARTITIONS);
    grid.join(new FakeNode("a-1", GIB, "host-a", null));
    grid.join(new FakeNode("a-2", GIB, "host-a", null));
    grid.join(new FakeNode("b", GIB, "host-b", null));
    assertThat(grid.assignment(1))
        .allSatisfy(row -> assertThat(row).hasSize(2).doesNotHaveDuplicates());
    // Two thirds of the copies, on half of the hosts.
    assertThat(together(grid, 1, FakeNode::host)).isBetween(PARTITIONS / 3, PARTITIONS / 3 + 2);
  }

  @Test
  void oneNode_holdsAll_withoutBackups() {
    FakeGrid grid = FakeGrid.of(PARTITIONS, 1, GIB);
    assertThat(grid.assignment(2)).allSatisfy(row -> assertThat(row).isEqualTo(grid.nodes()));
  }

  @Test
  void noNode_givesNoCopies() {
    FakeGrid grid = FakeGrid.of(PARTITIONS, 1, GIB);
    grid.leave(grid.nodes().get(0));
    assertThat(grid.assignment(1)).hasSize(PARTITIONS).allSatisfy(row -> assertThat(row).isEmpty());
  }

  /** A node that joined just before computes here, an older one does not: both must agree. */
  @Test
  void nodeThatCameBackInOneExchange_holdsWhatItHeld_whateverItsBudget() {
    FakeGrid grid = FakeGrid.of(PARTITIONS, 4, GIB);
    List<List<ClusterNode>> before = grid.assignment(1);
    FakeNode old = grid.nodes().get(1);
    FakeNode back = new FakeNode(old.name(), 5 * GIB, "elsewhere", "zone");
    grid.change(List.of(old), List.of(back));
    for (int partition = 0; partition < PARTITIONS; partition++) {
      List<ClusterNode> expected = new ArrayList<>(before.get(partition));
      expected.replaceAll(node -> node.equals(old) ? back : node);
      assertThat(grid.assignment(1).get(partition)).isEqualTo(expected);
    }
    // The next change takes the budget into account.
    grid.join(new FakeNode("joiner", GIB, "host-new", null));
    assertThat(grid.primaries(back, 0)).isBetween(PARTITIONS * 5 / 9, PARTITIONS * 5 / 9 + 1);
  }

  @Test
  void partitions_notAPowerOfTwo_areRefused() {
    assertThatThrownBy(() -> new BoundedLoadAffinity(1000))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage("partitions=1000, allowed: a power of two");
  }

  /** How many copies share a host or zone with another one of their partition. */
  private static int together(FakeGrid grid, int backups, Function<FakeNode, Object> group) {
    int together = 0;
    for (List<ClusterNode> row : grid.assignment(backups)) {
      Set<Object> groups = new HashSet<>();
      row.forEach(node -> groups.add(group.apply((FakeNode) node)));
      together += row.size() - groups.size();
    }
    return together;
  }
}
