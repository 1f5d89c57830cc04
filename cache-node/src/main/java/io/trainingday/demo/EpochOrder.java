package io.trainingday.demo;

import ai.djl.training.dataset.RandomAccessDataset;
import ai.djl.training.dataset.Sampler;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;

/**
 * The batches of one epoch: a shuffle of the whole data set that depends on seed and epoch alone.
 *
 * <p>DJL's own sampler draws from a generator that everything in the process shares, so whatever
 * else draws a number would change the order. The last batch may be smaller than the others.
 */
final class EpochOrder implements Sampler {
  private final long seed;
  private final int epoch;
  private final int batchSize;

  EpochOrder(long seed, int epoch, int batchSize) {
    this.seed = seed;
    this.epoch = epoch;
    this.batchSize = batchSize;
  }

  @Override
  public Iterator<List<Long>> sample(RandomAccessDataset dataset) {
    // SplittableRandom spreads neighbouring seeds; the odd factor keeps (seed, epoch) pairs apart.
    int[] order =
        SeededPermutation.of(Math.toIntExact(dataset.size()), seed * 0x9E3779B97F4A7C15L + epoch);
    List<List<Long>> batches = new ArrayList<>();
    for (int from = 0; from < order.length; from += batchSize) {
      List<Long> batch = new ArrayList<>(batchSize);
      for (int i = from; i < Math.min(order.length, from + batchSize); i++) {
        batch.add((long) order[i]);
      }
      batches.add(batch);
    }
    return batches.iterator();
  }

  @Override
  public int getBatchSize() {
    return batchSize;
  }
}
