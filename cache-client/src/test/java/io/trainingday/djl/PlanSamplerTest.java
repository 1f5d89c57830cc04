package io.trainingday.djl;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.ndarray.NDManager;
import ai.djl.training.dataset.RandomAccessDataset;
import ai.djl.training.dataset.Record;
import ai.djl.util.Progress;
import io.trainingday.sampling.EpochPlan;
import io.trainingday.sampling.EpochPlan.Strategy;
import io.trainingday.sampling.EpochPlan.Tail;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;

class PlanSamplerTest {
  @Test
  void givesOutTheRanksBatches_ofTheLastPlanSet() {
    PlanSampler sampler = new PlanSampler(plan(100, 0), 1);
    assertThat(sampler.getBatchSize()).isEqualTo(8);
    assertThat(read(sampler, 100)).isEqualTo(planned(plan(100, 0)));
    sampler.setPlan(plan(100, 1));
    assertThat(read(sampler, 100)).isEqualTo(planned(plan(100, 1)));
    assertThat(planned(plan(100, 1))).isNotEqualTo(planned(plan(100, 0)));
  }

  @Test
  void planOfSomethingElse_isRefused() {
    PlanSampler sampler = new PlanSampler(plan(100, 0), 2);
    assertThatThrownBy(() -> sampler.sample(new Numbers(99)))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage("plan of samples=100, but the data set has 99");
    assertThatThrownBy(() -> new PlanSampler(plan(100, 0), 3))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage("rank=3, allowed: 0–2 (world size=3)");
  }

  private static EpochPlan plan(long samples, long epoch) {
    return EpochPlan.builder(samples, 5, 3)
        .epoch(epoch)
        .batch(8)
        .tail(Tail.UNEVEN)
        .strategy(Strategy.PLAIN)
        .build();
  }

  private static List<List<Long>> planned(EpochPlan plan) {
    return LongStream.range(0, plan.steps())
        .mapToObj(step -> LongStream.of(plan.indices(step, 1)).boxed().toList())
        .toList();
  }

  private static List<List<Long>> read(PlanSampler sampler, int size) {
    List<List<Long>> all = new ArrayList<>();
    for (Iterator<List<Long>> batches = sampler.sample(new Numbers(size)); batches.hasNext(); ) {
      all.add(batches.next());
    }
    return all;
  }

  private static final class Numbers extends RandomAccessDataset {
    private final int size;

    Numbers(int size) {
      super(new Settings());
      this.size = size;
    }

    @Override
    public Record get(NDManager manager, long index) {
      throw new UnsupportedOperationException("samples are not read here");
    }

    @Override
    protected long availableSize() {
      return size;
    }

    @Override
    public void prepare(Progress progress) {}

    private static final class Settings extends BaseBuilder<Settings> {
      Settings() {
        setSampling(1, false);
      }

      @Override
      protected Settings self() {
        return this;
      }
    }
  }
}
