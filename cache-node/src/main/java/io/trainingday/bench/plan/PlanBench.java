package io.trainingday.bench.plan;

import io.trainingday.bench.plan.PlanReport.Cost;
import io.trainingday.bench.plan.PlanReport.FirstBatch;
import io.trainingday.bench.plan.PlanReport.Share;
import io.trainingday.grid.BoundedLoadAffinity;
import io.trainingday.sampling.EpochPlan;
import io.trainingday.sampling.EpochPlan.Strategy;
import io.trainingday.sampling.EpochPlan.Tail;
import io.trainingday.sampling.OwnershipSnapshot;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.stream.IntStream;

/** Makes plans over hosts that exist in the placement of partitions alone. */
final class PlanBench {
  static final int PARTITIONS = 1_024;
  private static final int FIRST_BATCH = 1_024;
  private static final int FIRST_RANKS = 4;
  private static final int FIRST_ROUNDS = 101;
  private static final int COST_BATCH = 8_192;
  private static final int COST_ROUNDS = 60;
  private static final long SEED = 42;

  private PlanBench() {}

  /**
   * What part of their reads is local to ranks, one on each host, in the first steps of an epoch.
   *
   * @param batch of all ranks, a multiple of hosts
   * @param reads to look at, at least
   */
  static Share share(long samples, int hosts, int batch, Strategy strategy, long reads) {
    EpochPlan plan =
        EpochPlan.builder(samples, SEED, hosts)
            .batch(batch / hosts)
            .tail(Tail.DROP)
            .strategy(strategy)
            .ownership(snapshot(hosts), hosts(hosts))
            .build();
    long steps = Math.min(plan.steps(), (reads + batch - 1) / batch);
    long local = 0;
    for (long step = 0; step < steps; step++) {
      for (int rank = 0; rank < hosts; rank++) {
        for (long index : plan.indices(step, rank)) {
          local += plan.isLocal(index, rank) ? 1 : 0;
        }
      }
    }
    return new Share(
        hosts,
        batch,
        strategy.name().toLowerCase(Locale.ROOT),
        (double) local / (steps * batch),
        plan.predictedLocalShare());
  }

  /** How long a rank waits for its first batch, again and again with other plans. */
  static FirstBatch firstBatch(long samples) {
    OwnershipSnapshot snapshot = snapshot(FIRST_RANKS);
    double[] millis = new double[FIRST_ROUNDS];
    for (int round = 0; round < millis.length; round++) {
      long start = System.nanoTime();
      EpochPlan plan =
          EpochPlan.builder(samples, round, FIRST_RANKS)
              .batch(FIRST_BATCH)
              .tail(Tail.DROP)
              .ownership(snapshot, hosts(FIRST_RANKS))
              .build();
      long[] indices = plan.indices(0, round % FIRST_RANKS);
      millis[round] = (System.nanoTime() - start) / 1e6;
      if (indices.length != FIRST_BATCH) {
        throw new IllegalStateException("a batch of " + indices.length);
      }
    }
    double first = millis[0];
    Arrays.sort(millis);
    return new FirstBatch(samples, millis[millis.length / 2], first);
  }

  /** What one index of the keyed order costs, the median of many batches. */
  static Cost cost(long samples) {
    EpochPlan plan =
        EpochPlan.builder(samples, SEED, 1)
            .batch(COST_BATCH)
            .tail(Tail.DROP)
            .strategy(Strategy.PLAIN)
            .build();
    double[] nanos = new double[COST_ROUNDS];
    long sum = 0;
    for (int round = 0; round < nanos.length; round++) {
      long start = System.nanoTime();
      for (long index : plan.all(round % plan.steps())) {
        sum += index;
      }
      nanos[round] = (double) (System.nanoTime() - start) / COST_BATCH;
    }
    if (sum < 0) {
      throw new IllegalStateException("indices below 0");
    }
    Arrays.sort(nanos);
    return new Cost(samples, nanos[nanos.length / 2]);
  }

  private static OwnershipSnapshot snapshot(int hosts) {
    List<String> names = hosts(hosts);
    return OwnershipSnapshot.of(
        1,
        Arrays.stream(BoundedLoadAffinity.primariesOf(PARTITIONS, hosts))
            .mapToObj(host -> List.of(names.get(host)))
            .toList());
  }

  private static List<String> hosts(int count) {
    return IntStream.range(0, count).mapToObj(host -> "host-" + host).toList();
  }
}
