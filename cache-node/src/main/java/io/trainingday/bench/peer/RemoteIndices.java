package io.trainingday.bench.peer;

import io.trainingday.bench.path.BenchException;
import io.trainingday.client.CachedSamples;
import io.trainingday.client.DatasetSpec;
import io.trainingday.client.Ownership;
import io.trainingday.client.TrainingCache;
import io.trainingday.grid.BoundedLoadAffinity;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;
import java.util.stream.LongStream;

/** Finds samples that another node holds, by the ownership table of the node that is asked. */
final class RemoteIndices {
  private static final long SETTLE_NANOS = TimeUnit.SECONDS.toNanos(60);
  private static final long LOOK_MILLIS = 100;

  private RemoteIndices() {}

  /**
   * The smallest indices that are not the asked node's own.
   *
   * @throws BenchException if the two nodes do not come to hold what is theirs
   */
  static long[] find(String address, int count) {
    DatasetSpec any =
        DatasetSpec.builder("training-day-bench-owners").pipeline("none").sourceLength(1).build();
    try (TrainingCache cache =
            TrainingCache.connect(TrainingCache.Config.builder().address(address).build());
        CachedSamples samples = cache.open(any)) {
      Ownership owners = settled(samples);
      return LongStream.iterate(0, index -> index + 1)
          .filter(
              index ->
                  !owners
                      .primary(BoundedLoadAffinity.partition(index, owners.partitions()))
                      .local())
          .limit(count)
          .toArray();
    }
  }

  private static Ownership settled(CachedSamples samples) {
    long deadline = System.nanoTime() + SETTLE_NANOS;
    while (true) {
      Ownership owners = samples.ownership();
      if (owners.nodes().size() == 2 && isSettled(owners)) {
        return owners;
      }
      if (System.nanoTime() - deadline > 0) {
        throw new BenchException("the two nodes do not share out the samples: " + owners);
      }
      pause();
    }
  }

  /** Whether each node holds its share, by its memory, to a partition. */
  private static boolean isSettled(Ownership owners) {
    List<Ownership.Node> nodes = owners.nodes();
    double all = nodes.stream().mapToDouble(Ownership.Node::budgetBytes).sum();
    return IntStream.range(0, nodes.size())
        .allMatch(
            node -> {
              double share = owners.partitions() * (nodes.get(node).budgetBytes() / all);
              long held = owners.holders().stream().filter(places -> places.get(0) == node).count();
              return Math.abs(held - share) <= 1;
            });
  }

  private static void pause() {
    try {
      TimeUnit.MILLISECONDS.sleep(LOOK_MILLIS);
    } catch (InterruptedException stop) {
      Thread.currentThread().interrupt();
      throw new BenchException("interrupted", stop);
    }
  }
}
