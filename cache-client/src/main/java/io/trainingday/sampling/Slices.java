package io.trainingday.sampling;

import io.trainingday.sampling.EpochPlan.Order;
import io.trainingday.sampling.EpochPlan.Tail;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** Each rank reads a slice of its own, of what its host owns. Immutable. */
final class Slices implements Shares {
  private final Ranks ranks;
  private final Slice[] slices;
  private final int batch;
  private final long start;
  private final Tail tail;
  private final long steps;
  private final long[] lengths;
  private final double predictedLocalShare;

  /**
   * @param start places of each rank consumed before
   * @param batch of each rank
   */
  Slices(Ranks ranks, Order order, long samples, long base, long start, int batch, Tail tail) {
    this.ranks = ranks;
    this.start = start;
    this.batch = batch;
    this.tail = tail;
    int[][] partitions = partitions(ranks);
    slices = new Slice[ranks.hosts()];
    int local = 0;
    for (int host = 0; host < slices.length; host++) {
      slices[host] =
          new Slice(
              partitions[host],
              ranks.partitions(),
              samples,
              order == Order.KEYED,
              Mix.mix(base + (host + 1) * Mix.GAMMA));
      for (int partition : partitions[host]) {
        local += ranks.holds(host, partition) ? 1 : 0;
      }
    }
    predictedLocalShare = (double) local / ranks.partitions();
    lengths = new long[ranks.world()];
    for (int rank = 0; rank < lengths.length; rank++) {
      int host = ranks.hostOf(rank);
      int of = ranks.ranksOn(host).length;
      lengths[rank] = (slices[host].size() - ranks.placeOf(rank) + of - 1) / of;
      if (lengths[rank] <= 0) {
        throw new IllegalArgumentException(
            "strategy=slice: host '%s' holds no samples of this data set, use strategy=exact"
                .formatted(ranks.host(host)));
      }
    }
    long all =
        tail == Tail.DROP
            ? Math.floorDiv(Arrays.stream(lengths).min().orElseThrow() - start, batch)
            : Math.floorDiv(Arrays.stream(lengths).max().orElseThrow() - start + batch - 1, batch);
    steps = Math.max(0, all);
  }

  /** By host, what it reads: what it owns, and its share of what no rank is next to. */
  private static int[][] partitions(Ranks ranks) {
    List<List<Integer>> byHost = new ArrayList<>();
    for (int host = 0; host < ranks.hosts(); host++) {
      byHost.add(new ArrayList<>());
    }
    int others = 0;
    for (int p = 0; p < ranks.partitions(); p++) {
      int owner = ranks.owner(p, 0);
      byHost.get(owner >= 0 ? owner : others++ % ranks.hosts()).add(p);
    }
    return byHost.stream()
        .map(own -> own.stream().mapToInt(Integer::intValue).toArray())
        .toArray(int[][]::new);
  }

  @Override
  public double predictedLocalShare() {
    return predictedLocalShare;
  }

  @Override
  public long steps() {
    return steps;
  }

  @Override
  public int size(long step) {
    int size = 0;
    for (int rank = 0; rank < lengths.length; rank++) {
      size += count(step, rank);
    }
    return size;
  }

  @Override
  public int count(long step, int rank) {
    if (tail != Tail.UNEVEN) {
      return batch;
    }
    return (int) Math.max(0, Math.min(batch, lengths[rank] - start - step * batch));
  }

  @Override
  public long[] indices(long step, int rank) {
    long first = start + step * batch;
    long[] mine = new long[count(step, rank)];
    for (int k = 0; k < mine.length; k++) {
      mine[k] = at(rank, (first + k) % lengths[rank]);
    }
    return mine;
  }

  private long at(int rank, long place) {
    int host = ranks.hostOf(rank);
    return slices[host].at(ranks.placeOf(rank) + place * ranks.ranksOn(host).length);
  }

  @Override
  public long standIn(long step, int rank) {
    return at(rank, 0);
  }

  @Override
  public long[] all(long step) {
    long[] all = new long[size(step)];
    int end = 0;
    for (int rank = 0; rank < lengths.length; rank++) {
      long[] mine = indices(step, rank);
      System.arraycopy(mine, 0, all, end, mine.length);
      end += mine.length;
    }
    return all;
  }

  @Override
  public long consumed(long done) {
    return start + done * batch;
  }

  /**
   * The samples of some partitions, shuffled. Of each aligned block of as many samples as there are
   * partitions, one is in each partition; which one is known without looking for it.
   */
  private static final class Slice {
    private final int[] own;
    private final int partitions;
    private final long whole;
    private final long[] rest;
    private final KeyedBijection shuffle;
    private final boolean shuffled;

    Slice(int[] own, int partitions, long samples, boolean shuffled, long base) {
      this.own = own;
      this.partitions = partitions;
      long blocks = samples / partitions;
      this.whole = blocks * own.length;
      boolean[] isOwn = new boolean[partitions];
      for (int partition : own) {
        isOwn[partition] = true;
      }
      long[] last = new long[partitions];
      int found = 0;
      for (long index = blocks * partitions; index < samples; index++) {
        if (isOwn[OwnershipSnapshot.partitionOf(index, partitions)]) {
          last[found++] = index;
        }
      }
      this.rest = Arrays.copyOf(last, found);
      this.shuffled = shuffled;
      this.shuffle = new KeyedBijection(Math.max(1, size()), base);
    }

    long size() {
      return whole + rest.length;
    }

    long at(long position) {
      long entry = shuffled ? shuffle.apply(position) : position;
      if (entry >= whole) {
        return rest[(int) (entry - whole)];
      }
      long block = entry / own.length * partitions;
      int partition = own[(int) (entry % own.length)];
      return block + (partition ^ OwnershipSnapshot.partitionOf(block, partitions));
    }
  }
}
