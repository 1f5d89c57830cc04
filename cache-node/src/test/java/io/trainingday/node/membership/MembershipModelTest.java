package io.trainingday.node.membership;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.trainingday.config.Settings.SmallGrids;
import io.trainingday.node.membership.GridModel.Sabotage;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * No node serves what was before a publish that has returned, and whoever could serve in the end
 * does: random histories of grids of 1 to 12 nodes, checked at every step.
 *
 * <p>With {@link SmallGrids#STOP} that holds whatever happens. With SERVE two nodes cannot tell a
 * cut from a death, so there it is claimed of what they can: one paused node at a time, nobody lost
 * meanwhile.
 */
class MembershipModelTest {
  private static final int DISTURBANCES = 20;

  private static final class Coverage {
    int done;
    int refused;
    int waited;
    int servedAtTheEnd;
    long checks;

    void add(GridModel grid) {
      done += grid.publishesDone();
      refused += grid.publishesRefused();
      waited += grid.waitsForOutsiders();
      checks += grid.checks();
      servedAtTheEnd += grid.someoneServes() ? 1 : 0;
    }
  }

  private static Coverage run(
      int runs, SmallGrids smallGrids, Sabotage sabotage, boolean cutsAndDeaths) {
    Coverage coverage = new Coverage();
    for (int seed = 0; seed < runs; seed++) {
      GridModel grid = new GridModel(seed, 1 + seed % 6, smallGrids, sabotage);
      try {
        for (int i = 0; i < DISTURBANCES; i++) {
          grid.disturb(cutsAndDeaths);
        }
        grid.settle();
      } catch (AssertionError e) {
        throw new AssertionError("seed " + seed, e);
      }
      coverage.add(grid);
    }
    return coverage;
  }

  @Test
  void serving_withMajorities_isNeverStaleWhateverHappens() {
    assertCoversMuch(800, run(800, SmallGrids.STOP, Sabotage.NONE, true));
  }

  @Test
  @Tag("slow")
  void serving_withMajorities_isNeverStaleInManyHistories() {
    assertCoversMuch(50_000, run(50_000, SmallGrids.STOP, Sabotage.NONE, true));
  }

  private static void assertCoversMuch(int runs, Coverage coverage) {
    assertThat(coverage.done).isGreaterThan(runs);
    assertThat(coverage.refused).isGreaterThan(runs);
    assertThat(coverage.waited).isGreaterThan(runs);
    assertThat(coverage.checks).isGreaterThan(1_000L * runs);
    assertThat(coverage.servedAtTheEnd).isGreaterThan(runs / 5);
  }

  @Test
  void serving_smallGridsInWhichOneNodePauses_isNeverStale() {
    Coverage coverage = run(400, SmallGrids.SERVE, Sabotage.NONE, false);

    assertThat(coverage.done).isGreaterThan(400);
    assertThat(coverage.waited).isGreaterThan(400);
    assertThat(coverage.servedAtTheEnd).isGreaterThan(390);
  }

  @ParameterizedTest
  @EnumSource(mode = EnumSource.Mode.EXCLUDE, names = "NONE")
  void serving_withABrokenRule_isFoundStale(Sabotage sabotage) {
    assertThatThrownBy(() -> run(10_000, SmallGrids.STOP, sabotage, true))
        .rootCause()
        .hasMessageContaining("was published");
  }
}
