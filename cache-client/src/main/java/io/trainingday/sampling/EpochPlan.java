package io.trainingday.sampling;

import java.util.Iterator;
import java.util.List;
import java.util.Locale;
import java.util.NoSuchElementException;
import java.util.function.LongUnaryOperator;
import org.jspecify.annotations.Nullable;

/**
 * Which rank reads which sample in which step of one epoch: a function of its inputs alone, so that
 * ranks with equal inputs agree without asking each other.
 *
 * <pre>{@code
 * EpochPlan plan =
 *     EpochPlan.builder(samples, seed, worldSize)
 *         .epoch(3)
 *         .batch(32)
 *         .tail(Tail.DROP)
 *         .ownership(snapshot, rankHosts)
 *         .build();
 * for (long step = 0; step < plan.steps(); step++) {
 *   long[] indices = plan.indices(step, rank);
 * }
 * }</pre>
 *
 * <p>Each step reads the next window of one shuffled order, the same whatever the number of ranks;
 * {@link Strategy#EXACT} lets each rank read what its host owns of it. Nothing is kept per sample:
 * a plan takes a few bytes per partition and rank, and any step can be asked for at any time, at
 * the cost of its window. Immutable, thread-safe. The whole contract is {@code contract/plan.md}.
 */
public final class EpochPlan {
  /** In which order an epoch goes through the samples. */
  public enum Order {
    /** Shuffled by seed and epoch, in no memory. */
    KEYED(1),
    /** That of {@code torch.randperm}, which Python alone computes. */
    TORCH(2),
    /** From the first to the last. */
    SEQUENCE(3);

    private final int code;

    Order(int code) {
      this.code = code;
    }

    int code() {
      return code;
    }

    static Order of(int code) {
      for (Order order : values()) {
        if (order.code == code) {
          return order;
        }
      }
      throw new IllegalArgumentException(
          "order=%d, allowed: 1–%d".formatted(code, values().length));
    }
  }

  /** What becomes of the samples that fill no whole global batch. */
  public enum Tail {
    /** They are not read in this epoch. */
    DROP,
    /** The order's first samples are read again, until all ranks have equally many. */
    PAD,
    /** They are read, by some ranks one more than by others; {@link EpochPlan#weight} says so. */
    UNEVEN
  }

  /** Who reads what of a step. */
  public enum Strategy {
    /** The samples of a plain shuffle, each read where it lies as far as counts allow. */
    EXACT,
    /** Each rank shuffles what its host owns: all local, but another kind of shuffle. */
    SLICE,
    /** Dealt out in turn as torch's {@code DistributedSampler} does. */
    PLAIN
  }

  private final Builder given;
  private final long start;
  private final int globalBatch;
  private final Shares shares;
  private final @Nullable Ranks ranks;
  private final long hosts;

  private EpochPlan(Builder builder) {
    given = builder;
    globalBatch = builder.wholeBatch();
    ranks = builder.ranks();
    boolean sliced = builder.strategy() == Strategy.SLICE;
    hosts = sliced && ranks != null ? ranks.digest() : 0;
    start = builder.start(sliced, hosts);
    long base = Mix.base(builder.seed, builder.epoch());
    if (sliced && ranks != null) {
      shares =
          new Slices(
              ranks,
              builder.order(),
              builder.samples,
              base,
              start,
              globalBatch / builder.worldSize,
              builder.tail());
    } else {
      shares =
          new Windows(
              order(builder.order(), builder.samples, base),
              builder.samples,
              start,
              builder.worldSize,
              globalBatch,
              builder.tail(),
              builder.strategy() == Strategy.EXACT ? ranks : null,
              ranks);
    }
  }

  private static LongUnaryOperator order(Order order, long samples, long base) {
    return order == Order.KEYED
        ? new KeyedBijection(samples, base)::apply
        : LongUnaryOperator.identity();
  }

  /**
   * Starts a plan.
   *
   * @param samples of the data set, 1–2⁴⁸
   * @param seed of the shuffle, any number
   * @param worldSize how many ranks read, 1–65,535
   * @throws IllegalArgumentException if one of them is out of its range
   */
  public static Builder builder(long samples, long seed, int worldSize) {
    return new Builder(samples, seed, worldSize);
  }

  /** How many samples the data set has. */
  public long samples() {
    return given.samples;
  }

  /** The epoch this is the plan of. */
  public long epoch() {
    return given.epoch();
  }

  /** How many ranks read. */
  public int worldSize() {
    return given.worldSize;
  }

  /** Samples of all ranks together in a whole step. */
  public int globalBatch() {
    return globalBatch;
  }

  /** Who reads what of a step. */
  public Strategy strategy() {
    return given.strategy();
  }

  /** How many steps the epoch has left, from where this plan begins. */
  public long steps() {
    return shares.steps();
  }

  /**
   * How many samples a rank reads in a step; 0 is possible in the last one with {@link
   * Tail#UNEVEN}.
   */
  public int count(long step, int rank) {
    requireStep(step);
    requireRank(rank);
    return shares.count(step, rank);
  }

  /**
   * What the loss of a rank, a mean over its samples, counts in a step where gradients are averaged
   * over ranks; 1 where all have equally many samples.
   */
  public double weight(long step, int rank) {
    int count = count(step, rank);
    return (double) ((long) given.worldSize * count) / shares.size(step);
  }

  /** What a rank reads in a step, in order; computed anew at each call. */
  public long[] indices(long step, int rank) {
    requireStep(step);
    requireRank(rank);
    return shares.indices(step, rank);
  }

  /**
   * What a rank may read where it has no sample in a step, to take part in it all the same: at
   * weight 0, and no visit.
   */
  public long standIn(long step, int rank) {
    requireStep(step);
    requireRank(rank);
    return shares.standIn(step, rank);
  }

  /** What all ranks together read in a step: of windows, in the order of the epoch. */
  public long[] all(long step) {
    requireStep(step);
    return shares.all(step);
  }

  /**
   * A rank's batches of all steps, one after the other; where it has none, its stand-in alone.
   * Computed as they are asked for.
   */
  public Iterator<long[]> batches(int rank) {
    requireRank(rank);
    return new Iterator<>() {
      private long step;

      @Override
      public boolean hasNext() {
        return step < steps();
      }

      @Override
      public long[] next() {
        if (!hasNext()) {
          throw new NoSuchElementException("all %d steps have been read".formatted(steps()));
        }
        long[] indices = shares.indices(step, rank);
        if (indices.length == 0) {
          indices = new long[] {shares.standIn(step, rank)};
        }
        step++;
        return indices;
      }
    };
  }

  /**
   * Whether the host of a rank owned a sample when the epoch began; false where ownership is not
   * known.
   */
  public boolean isLocal(long index, int rank) {
    requireRank(rank);
    if (index < 0 || index >= given.samples) {
      throw new IllegalArgumentException(
          "index=%d, allowed: 0–%d".formatted(index, given.samples - 1));
    }
    return ranks != null && ranks.holds(ranks.hostOf(rank), ranks.partitionOf(index));
  }

  /**
   * What part of all reads can be expected to be local, from 0 to 1, given who owns how much; NaN
   * where ownership is not known. Backups make it more.
   */
  public double predictedLocalShare() {
    return shares.predictedLocalShare();
  }

  /**
   * What belongs into a checkpoint after so many steps of this plan have been trained.
   *
   * @param stepsDone 0 to {@link #steps}, counted from where this plan begins
   */
  public PlanState state(long stepsDone) {
    if (stepsDone < 0 || stepsDone > steps()) {
      throw new IllegalArgumentException("step=%d, allowed: 0–%d".formatted(stepsDone, steps()));
    }
    return new PlanState(
        given.order(),
        given.strategy() == Strategy.SLICE,
        given.seed,
        epoch(),
        given.samples,
        stepsDone == steps() ? given.samples : shares.consumed(stepsDone),
        given.datasetNumber,
        hosts);
  }

  /**
   * What all ranks together should have read after so many steps of this plan. Takes as long as
   * making all their windows.
   *
   * @param stepsDone 0 to {@link #steps}
   */
  public VisitSum visits(long stepsDone) {
    if (stepsDone < 0 || stepsDone > steps()) {
      throw new IllegalArgumentException("step=%d, allowed: 0–%d".formatted(stepsDone, steps()));
    }
    VisitSum sum = VisitSum.NONE;
    for (long step = 0; step < stepsDone; step++) {
      sum = sum.with(shares.all(step));
    }
    return sum;
  }

  private void requireStep(long step) {
    if (steps() == 0) {
      throw new IllegalArgumentException(
          "step=%d, but the epoch has no steps left".formatted(step));
    }
    if (step < 0 || step >= steps()) {
      throw new IllegalArgumentException("step=%d, allowed: 0–%d".formatted(step, steps() - 1));
    }
  }

  private void requireRank(int rank) {
    requireRank(rank, given.worldSize);
  }

  /**
   * Refuses what no plan can have.
   *
   * @throws IllegalArgumentException if there is no world of that size, or no such rank in it
   */
  public static void requireRank(int rank, int worldSize) {
    Builder.requireWorld(worldSize);
    if (rank < 0 || rank >= worldSize) {
      throw new IllegalArgumentException(
          "rank=%d, allowed: 0–%d (world size=%d)".formatted(rank, worldSize - 1, worldSize));
    }
  }

  /** Puts a plan together; an option set twice is refused. Not thread-safe. */
  public static final class Builder {
    private static final long MAX_SAMPLES = 1L << 48;
    private static final long MAX_EPOCH = Integer.MAX_VALUE;
    private static final int MAX_WORLD = 65_535;
    private static final int MAX_BATCH = 1 << 20;
    private static final int MAX_GLOBAL_BATCH = 1 << 24;

    private final long samples;
    private final long seed;
    private final int worldSize;
    private @Nullable Long epoch;
    private @Nullable Integer batch;
    private @Nullable Integer globalBatch;
    private @Nullable Order order;
    private @Nullable Tail tail;
    private @Nullable Strategy strategy;
    private @Nullable OwnershipSnapshot snapshot;
    private @Nullable List<String> rankHosts;
    private @Nullable String dataset;
    private long datasetNumber;
    private @Nullable PlanState state;

    private Builder(long samples, long seed, int worldSize) {
      requireSamples(samples);
      requireWorld(worldSize);
      this.samples = samples;
      this.seed = seed;
      this.worldSize = worldSize;
    }

    private static void requireWorld(int worldSize) {
      if (worldSize < 1 || worldSize > MAX_WORLD) {
        throw new IllegalArgumentException(
            "world size=%d, allowed: 1–%d".formatted(worldSize, MAX_WORLD));
      }
    }

    /** Which epoch, 0–2³¹ − 1; 0 by default, or that of the state. */
    public Builder epoch(long value) {
      requireEpoch(value);
      epoch = once("epoch", epoch, value);
      return this;
    }

    /** Samples per rank and step, 1–2²⁰; this or {@link #globalBatch}. */
    public Builder batch(int value) {
      if (value < 1 || value > MAX_BATCH) {
        throw new IllegalArgumentException("batch=%d, allowed: 1–%d".formatted(value, MAX_BATCH));
      }
      batch = once("batch", batch, value);
      return this;
    }

    /**
     * Samples of all ranks per step, world size to 2²⁴: stays the same when the world size changes.
     * Where it is no multiple of that, ranks differ by one sample, see {@link EpochPlan#weight}.
     */
    public Builder globalBatch(int value) {
      if (value < worldSize) {
        throw new IllegalArgumentException(
            "global batch=%d < world size=%d, every rank needs a sample in each step"
                .formatted(value, worldSize));
      }
      globalBatch = once("global batch", globalBatch, value);
      return this;
    }

    /** The order of samples, {@link Order#KEYED} by default. */
    public Builder order(Order value) {
      if (value == Order.TORCH) {
        throw new IllegalArgumentException(
            "order=torch is computed in Python alone, use order=keyed");
      }
      order = once("order", order, value);
      return this;
    }

    /** What becomes of the samples that fill no whole global batch; to be given. */
    public Builder tail(Tail value) {
      tail = once("tail", tail, value);
      return this;
    }

    /** Who reads what of a step, {@link Strategy#EXACT} by default. */
    public Builder strategy(Strategy value) {
      strategy = once("strategy", strategy, value);
      return this;
    }

    /**
     * Who owns what, the same for all ranks, and which host each of them runs on.
     *
     * @param hosts by rank the host's id; empty if it is not known
     */
    public Builder ownership(OwnershipSnapshot value, List<String> hosts) {
      if (hosts.size() != worldSize) {
        throw new IllegalArgumentException(
            "rank hosts: %d given, world size=%d".formatted(hosts.size(), worldSize));
      }
      for (String host : hosts) {
        int length = OwnershipSnapshot.utf8(host).length;
        if (length > OwnershipSnapshot.MAX_HOST_BYTES) {
          throw new IllegalArgumentException(
              "rank hosts: an id of %d bytes, allowed: 0–%d"
                  .formatted(length, OwnershipSnapshot.MAX_HOST_BYTES));
        }
      }
      if (snapshot != null) {
        throw new IllegalStateException("ownership is set twice");
      }
      snapshot = value;
      rankHosts = List.copyOf(hosts);
      return this;
    }

    /** The data set's name, so that a state of another one is refused. */
    public Builder dataset(String name) {
      dataset = once("dataset", dataset, name);
      datasetNumber = PlanState.datasetOf(name);
      return this;
    }

    /**
     * Goes on where a state was taken, with any world size, batch and tail; its epoch is the
     * plan's.
     *
     * @throws IllegalArgumentException if the state is of another data set or seed
     */
    public Builder resume(PlanState value) {
      if (value.samples() != samples) {
        throw new IllegalArgumentException(
            "state of samples=%d, but the data set has %d".formatted(value.samples(), samples));
      }
      if (value.seed() != seed) {
        throw new IllegalArgumentException(
            "state of seed=%d, but seed=%d is set".formatted(value.seed(), seed));
      }
      state = once("state", state, value);
      return this;
    }

    /**
     * The plan.
     *
     * @throws IllegalArgumentException if options are missing or do not fit each other, the data or
     *     the state
     */
    public EpochPlan build() {
      if (tail == null) {
        throw new IllegalArgumentException("give tail: drop, pad or uneven");
      }
      if (state != null && epoch != null && state.epoch() != epoch) {
        throw new IllegalArgumentException(
            "state of epoch=%d, but epoch=%d is set".formatted(state.epoch(), epoch));
      }
      return new EpochPlan(new Builder(this));
    }

    private Builder(Builder other) {
      samples = other.samples;
      seed = other.seed;
      worldSize = other.worldSize;
      epoch = other.epoch;
      batch = other.batch;
      globalBatch = other.globalBatch;
      order = other.order;
      tail = other.tail;
      strategy = other.strategy;
      snapshot = other.snapshot;
      rankHosts = other.rankHosts;
      dataset = other.dataset;
      datasetNumber = other.datasetNumber;
      state = other.state;
    }

    private long epoch() {
      return state != null ? state.epoch() : epoch == null ? 0 : epoch;
    }

    private Order order() {
      return order == null ? Order.KEYED : order;
    }

    private Tail tail() {
      return tail == null ? Tail.DROP : tail; // build() has seen to it.
    }

    private Strategy strategy() {
      return strategy == null ? Strategy.EXACT : strategy;
    }

    private int wholeBatch() {
      if (batch == null && globalBatch == null) {
        throw new IllegalArgumentException("give batch or global batch");
      }
      if (batch != null && globalBatch != null) {
        throw new IllegalArgumentException(
            "batch=%d and global batch=%d are both given, give one".formatted(batch, globalBatch));
      }
      if (strategy() == Strategy.SLICE && globalBatch != null) {
        throw new IllegalArgumentException(
            "strategy=slice takes a batch per rank, not global batch=%d".formatted(globalBatch));
      }
      long whole = batch != null ? (long) batch * worldSize : globalBatch;
      if (whole > MAX_GLOBAL_BATCH) {
        throw new IllegalArgumentException(
            "global batch=%d, allowed: at most %d".formatted(whole, MAX_GLOBAL_BATCH));
      }
      boolean fresh = state == null || state.consumed() == 0;
      if (whole > samples && (fresh || strategy() == Strategy.SLICE)) {
        throw new IllegalArgumentException(
            "global batch=%d > samples=%d, take a smaller batch or fewer ranks"
                .formatted(whole, samples));
      }
      return (int) whole;
    }

    private @Nullable Ranks ranks() {
      if (snapshot != null && rankHosts != null) {
        return new Ranks(snapshot, rankHosts);
      }
      if (strategy() != Strategy.PLAIN) {
        throw new IllegalArgumentException(
            "strategy=%s needs an ownership snapshot, pass one or take strategy=plain"
                .formatted(word(strategy())));
      }
      return null;
    }

    /** What has been consumed before. */
    private long start(boolean sliced, long hosts) {
      if (state == null) {
        return 0;
      }
      if (state.order() != order()) {
        throw new IllegalArgumentException(
            "state of order=%s, but order=%s is set".formatted(word(state.order()), word(order())));
      }
      if (dataset != null && state.dataset() != 0 && state.dataset() != datasetNumber) {
        throw new IllegalArgumentException(
            "state of another data set than '%s'".formatted(dataset));
      }
      if (state.consumed() == 0 || state.isEnd()) {
        return state.consumed();
      }
      if (state.sliced() != sliced) {
        throw new IllegalArgumentException(
            "state of strategy=%s cannot go on with strategy=%s within an epoch"
                .formatted(state.sliced() ? "slice" : "exact", word(strategy())));
      }
      if (sliced && state.hosts() != hosts) {
        throw new IllegalArgumentException(
            "state of strategy=slice: hosts or ownership have changed since, slices go on within an"
                + " epoch only where they have not; use strategy=exact");
      }
      return state.consumed();
    }

    static void requireSamples(long value) {
      if (value < 1 || value > MAX_SAMPLES) {
        throw new IllegalArgumentException(
            "samples=%d, allowed: 1–%d".formatted(value, MAX_SAMPLES));
      }
    }

    static void requireEpoch(long value) {
      if (value < 0 || value > MAX_EPOCH) {
        throw new IllegalArgumentException("epoch=%d, allowed: 0–%d".formatted(value, MAX_EPOCH));
      }
    }

    private static String word(Enum<?> value) {
      return value.name().toLowerCase(Locale.ROOT);
    }

    private static <T> T once(String option, @Nullable T old, T value) {
      if (old != null) {
        throw new IllegalStateException("%s is set twice: %s and %s".formatted(option, old, value));
      }
      return value;
    }
  }
}
