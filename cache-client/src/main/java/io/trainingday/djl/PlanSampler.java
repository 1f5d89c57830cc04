package io.trainingday.djl;

import ai.djl.training.dataset.RandomAccessDataset;
import ai.djl.training.dataset.Sampler;
import io.trainingday.sampling.EpochPlan;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;

/**
 * A DJL sampler that gives out one rank's batches of a plan, for {@link CachedDataset} or any other
 * data set. Each epoch has a plan of its own: give it to {@link #setPlan} before the data set is
 * iterated. For one thread at a time.
 *
 * <pre>{@code
 * PlanSampler sampler = new PlanSampler(plan(0), rank);
 * CachedDataset data = CachedDataset.builder()….optSampling(sampler).build();
 * for (int epoch = 0; epoch < epochs; epoch++) {
 *   sampler.setPlan(plan(epoch));
 *   for (Batch batch : trainer.iterateDataset(data)) { … }
 * }
 * }</pre>
 *
 * <p>Where the plan has nothing for the rank in a step, its stand-in comes alone, to be trained at
 * {@link EpochPlan#weight weight} 0.
 */
public final class PlanSampler implements Sampler {
  private final int rank;
  private EpochPlan plan;

  /**
   * Gives out the batches of one rank.
   *
   * @throws IllegalArgumentException if the plan has no such rank
   */
  public PlanSampler(EpochPlan plan, int rank) {
    this.rank = rank;
    this.plan = checked(plan);
  }

  /** What the next iteration goes through; one under way goes on as it began. */
  public void setPlan(EpochPlan next) {
    plan = checked(next);
  }

  private EpochPlan checked(EpochPlan next) {
    EpochPlan.requireRank(rank, next.worldSize());
    return next;
  }

  /**
   * {@inheritDoc}
   *
   * @throws IllegalArgumentException if the plan is not of a data set of that size
   */
  @Override
  public Iterator<List<Long>> sample(RandomAccessDataset dataset) {
    if (dataset.size() != plan.samples()) {
      throw new IllegalArgumentException(
          "plan of samples=%d, but the data set has %d".formatted(plan.samples(), dataset.size()));
    }
    Iterator<long[]> batches = plan.batches(rank);
    return new Iterator<>() {
      @Override
      public boolean hasNext() {
        return batches.hasNext();
      }

      @Override
      public List<Long> next() {
        List<Long> list = new ArrayList<>();
        for (long index : batches.next()) {
          list.add(index);
        }
        return list;
      }
    };
  }

  /** The most samples of a batch. */
  @Override
  public int getBatchSize() {
    return (plan.globalBatch() + plan.worldSize() - 1) / plan.worldSize();
  }
}
