package io.trainingday.grid;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.fail;

import java.util.HashSet;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.function.IntToDoubleFunction;
import java.util.stream.Collectors;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;
import org.apache.ignite.cluster.ClusterNode;

/** What must hold of placement whoever comes and goes. */
class BoundedLoadPropertyTest {
  private static final int STEPS = 25;

  @Property(tries = 40)
  void anyChange_keepsShares_andMovesLittle(
      @ForAll long seed,
      @ForAll @IntRange(min = 5, max = 9) int logPartitions,
      @ForAll @IntRange(min = 1, max = 8) int budgets,
      @ForAll @IntRange(min = 1, max = 5) int zones) {
    Random random = new Random(seed);
    FakeGrid grid = new FakeGrid(1 << logPartitions);
    for (int step = 0; step < STEPS; step++) {
      int nodes = grid.nodes().size();
      if (nodes < 2 || (nodes < grid.partitions() / 16 && random.nextBoolean())) {
        FakeNode joiner =
            new FakeNode(
                "node-" + step,
                (1L + random.nextInt(budgets)) << 28,
                "host-" + (zones == 1 ? step : random.nextInt(STEPS)),
                zones == 1 ? null : "zone-" + random.nextInt(zones));
        grid.join(joiner);
        assertMovedLittle(
            grid, zones, backups -> grid.share(joiner, grid.partitions() * (backups + 1)));
      } else {
        List<List<ClusterNode>> before = grid.assignment(0);
        FakeNode leaver = grid.nodes().get(random.nextInt(nodes));
        int[] held = {grid.copies(leaver, 0), grid.copies(leaver, 1), grid.copies(leaver, 2)};
        grid.leave(leaver);
        assertMovedLittle(grid, zones, backups -> held[backups]);
        for (int partition = 0; partition < grid.partitions(); partition++) {
          ClusterNode primary = before.get(partition).get(0);
          if (budgets == 1 && !primary.equals(leaver)) {
            assertThat(grid.assignment(0).get(partition).get(0)).isEqualTo(primary);
          }
        }
      }
      assertSound(grid);
    }
  }

  /**
   * Where hosts and zones are to be kept apart it may be more, and where a node is to have a copy
   * of most partitions: those without it have to get one.
   */
  private static void assertMovedLittle(FakeGrid grid, int zones, IntToDoubleFunction share) {
    for (int backups = 0; backups <= FakeGrid.MAX_BACKUPS; backups++) {
      int copies = grid.partitions() * (backups + 1);
      double largest =
          grid.nodes().stream().mapToDouble(n -> grid.share(n, copies)).max().orElse(0);
      if (zones == 1 && largest <= grid.partitions() / 2.0) {
        assertThat((double) grid.moved(backups))
            .isLessThanOrEqualTo(1.2 * share.applyAsDouble(backups));
      }
    }
  }

  @Property(tries = 30)
  void anyChanges_ofManyNodesAtOnce_keepShares(
      @ForAll long seed, @ForAll @IntRange(min = 1, max = 4) int zones) {
    Random random = new Random(seed);
    FakeGrid grid = new FakeGrid(256);
    for (int step = 0; step < 8; step++) {
      List<FakeNode> leavers =
          grid.nodes().stream().filter(node -> random.nextInt(3) == 0).collect(Collectors.toList());
      List<FakeNode> joiners =
          random
              .ints(1 + random.nextInt(3), 0, 16)
              .distinct()
              // A node that left may be back under its name, with less memory.
              .mapToObj(
                  i ->
                      new FakeNode(
                          "node-" + i,
                          (1L + random.nextInt(4)) << 28,
                          "host-" + i,
                          "zone-" + i % zones))
              .filter(
                  joiner ->
                      grid.nodes().stream()
                          .noneMatch(
                              node -> node.name().equals(joiner.name()) && !leavers.contains(node)))
              .toList();
      grid.change(leavers, joiners);
      if (!grid.nodes().isEmpty()) {
        assertComplete(grid);
      }
    }
  }

  private static void assertSound(FakeGrid grid) {
    assertComplete(grid);
    for (FakeNode node : grid.nodes()) {
      double share = grid.share(node, grid.partitions());
      for (int backups = 0; backups <= FakeGrid.MAX_BACKUPS; backups++) {
        assertThat((double) grid.primaries(node, backups))
            .isBetween(Math.floor(share), Math.ceil(share));
        double copies = grid.share(node, grid.partitions() * (backups + 1));
        assertThat((double) grid.copies(node, backups)).isLessThanOrEqualTo(Math.ceil(copies) + 1);
      }
    }
  }

  private static void assertComplete(FakeGrid grid) {
    for (int backups = 0; backups <= FakeGrid.MAX_BACKUPS; backups++) {
      int copies = Math.min(backups + 1, grid.nodes().size());
      List<List<ClusterNode>> assignment = grid.assignment(backups);
      assertThat(assignment).hasSize(grid.partitions());
      Set<ClusterNode> nodes = new HashSet<>(grid.nodes());
      for (int partition = 0; partition < assignment.size(); partition++) {
        List<ClusterNode> row = assignment.get(partition);
        if (row.size() != copies
            || new HashSet<>(row).size() != copies
            || !nodes.containsAll(row)
            || !row.get(0).equals(grid.assignment(0).get(partition).get(0))) {
          fail("partition %d with %d backups: %s", partition, backups, row);
        }
      }
      // Whoever computes it again, told the nodes in any order, changes nothing.
      assertThat(grid.assign(backups, assignment)).isEqualTo(assignment);
    }
  }
}
