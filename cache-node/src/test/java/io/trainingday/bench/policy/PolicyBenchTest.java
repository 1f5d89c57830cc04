package io.trainingday.bench.policy;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import io.trainingday.bench.report.Report;
import io.trainingday.cli.AnswerSchemas;
import io.trainingday.cli.ChecksAnswer;
import io.trainingday.node.policy.Advice;
import java.util.List;
import java.util.SplittableRandom;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

final class PolicyBenchTest {
  private static final int SAMPLES = 1_500;
  private static final int EPOCHS = 4;

  /** One run of each kind, held against what theory says of one permutation an epoch. */
  @Test
  @ChecksAnswer("bench policy")
  void permutation_pinAndLru_areAsTheoryHasThem() {
    PolicyBench.Plan plan =
        new PolicyBench.Plan(List.of(Trace.PERMUTATION), List.of(0.5, 0.9), SAMPLES, EPOCHS, true);

    List<PolicyReport.Row> rows = new PolicyBench(plan, line -> {}).run();

    assertThat(rows)
        .extracting(PolicyReport.Row::policy)
        .containsExactly(
            "pin",
            "lru",
            "lfu",
            "random",
            "w-tinylfu",
            "random-2-lru",
            "pin",
            "lru",
            "lfu",
            "random",
            "w-tinylfu",
            "random-2-lru");
    for (PolicyReport.Row row : rows) {
      switch (row.policy()) {
        case "pin" -> assertThat(row.hitRate()).as("%s", row).isCloseTo(row.c(), within(0.01));
        case "lru" ->
            assertThat(row.hitRate())
                .as("%s", row)
                .isCloseTo(Advice.lruHitRate(row.c()), within(0.03));
        default -> assertThat(row.hitRate()).as("%s", row).isBetween(0.05, row.c() + 0.01);
      }
    }
    AnswerSchemas.check(
        "bench policy", new PolicyReport(Report.Machine.here(), SAMPLES, EPOCHS, rows));
  }

  @ParameterizedTest
  @EnumSource
  void everyTrace_readsAsManySamplesAsThereAre_allOfThemKnown(Trace trace) {
    SplittableRandom random = new SplittableRandom(1);
    for (int epoch = 0; epoch < EPOCHS; epoch++) {
      int[] reads = trace.epoch(epoch, SAMPLES, random);
      assertThat(reads).hasSize(SAMPLES);
      assertThat(IntStream.of(reads)).allMatch(sample -> sample >= 0 && sample < SAMPLES);
      if (trace == Trace.PERMUTATION || trace == Trace.SEQUENTIAL) {
        assertThat(IntStream.of(reads).distinct().count()).isEqualTo(SAMPLES);
      }
    }
  }

  @Test
  void theory_isTheFormula() {
    assertThat(Advice.lruHitRate(0.5)).isCloseTo(0.153, within(0.001));
    assertThat(Advice.lruHitRate(0.9)).isCloseTo(0.670, within(0.001));
    assertThat(Advice.lruHitRate(0)).isZero();
    assertThat(Advice.lruHitRate(1)).isOne();
  }
}
