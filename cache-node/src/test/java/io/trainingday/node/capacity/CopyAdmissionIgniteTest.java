package io.trainingday.node.capacity;

import static org.assertj.core.api.Assertions.assertThat;

import io.trainingday.grid.SampleKey;
import java.util.Map;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The promises between nodes against the engine they are made for. */
class CopyAdmissionIgniteTest {
  @ParameterizedTest
  @CsvSource({"1, 2000, 300000", "2, 100000, 1048576"})
  void fill_fromAllOwnersUntilRefused_noNodeRunsOutAndEveryCopyIsThere(
      int backups, int leastBytes, int mostBytes) throws Exception {
    try (TestGrid grid = TestGrid.of(3)) {
      Map<SampleKey, Integer> stored = grid.fillUntilRefused(backups, leastBytes, mostBytes);

      grid.assertNoTroubles();
      for (SampleKey key : stored.keySet()) {
        assertThat(grid.copies(backups, key)).as("copies of %s", key).isEqualTo(backups + 1);
      }
      long used = 0;
      long limit = 0;
      for (GridNode node : grid.nodes()) {
        assertThat(node.usedPages()).isLessThanOrEqualTo(node.limitPages());
        used += node.usedPages();
        limit += node.limitPages();
      }
      assertThat(used).isGreaterThan(limit * 7 / 10);
    }
  }
}
