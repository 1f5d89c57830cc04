package io.trainingday.client;

import io.trainingday.client.WarmProgress.State;
import java.time.Duration;
import java.util.Arrays;
import java.util.Iterator;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * A data set being loaded into the cache, in the background. Trainers may read it at the same time,
 * of this process or of others: no sample is loaded twice, and what is there is there for all.
 *
 * <pre>{@code
 * try (WarmUp warmUp = samples.warm(loader)) {
 *   warmUp.await(Duration.ofHours(1));
 *   System.out.println(warmUp.progress());
 * }
 * }</pre>
 *
 * <p>Each host warms the samples whose first copy its own node holds, so that all hosts together
 * warm each sample once; when nodes come or go, so do samples. What is in the cache already is
 * passed over, which makes a warm-up that was stopped go on where it was.
 *
 * <p>It ends when all samples have been looked at; when there is no room: 64 samples in a row were
 * not kept (a data set whose policy evicts always has room: one larger than that is best not warmed
 * as a whole); or when the loader keeps failing. Threads are daemons, and the process's own end is
 * one too. Thread-safe.
 */
public final class WarmUp implements AutoCloseable {
  private final WarmRun run;
  private final CountDownLatch ended = new CountDownLatch(1);

  private WarmUp(TrainingCache cache, DatasetSpec spec, SampleLoader loader, Options options) {
    run = new WarmRun(cache, spec, loader, options);
  }

  static WarmUp start(TrainingCache cache, DatasetSpec spec, SampleLoader loader, Options options) {
    WarmUp warmUp = new WarmUp(cache, spec, loader, options);
    warmUp.run.open();
    DaemonThreads.named("training-day-warm-up")
        .newThread(
            () -> {
              try {
                warmUp.run.run();
              } finally {
                cache.ended(warmUp);
                warmUp.ended.countDown();
              }
            })
        .start();
    return warmUp;
  }

  /** How far it has come. */
  public WarmProgress progress() {
    return run.progress();
  }

  /**
   * Waits for the end, of whatever kind.
   *
   * @return false when the time is over before
   */
  public boolean await(Duration longest) throws InterruptedException {
    return ended.await(longest.toNanos(), TimeUnit.NANOSECONDS);
  }

  /** Begins no more loads until {@link #resume}. */
  public void pause() {
    run.pause(true);
  }

  /** Goes on after {@link #pause}. */
  public void resume() {
    run.pause(false);
  }

  /** Ends it; loads under way go on to their end, and what they make is kept. Does not wait. */
  public void stop() {
    run.stop();
  }

  /** Stops it and waits for the loads under way. */
  @Override
  public void close() {
    stop();
    boolean interrupted = false;
    while (true) {
      try {
        ended.await();
        break;
      } catch (InterruptedException e) {
        interrupted = true;
      }
    }
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
  }

  /** Whether it goes on, and how it ended. */
  public State state() {
    return progress().state();
  }

  /** What is warmed, in which order and how fast. Immutable; {@code order} serves one warm-up. */
  public static final class Options {
    private static final int DEFAULT_MAX_FAILURES = 20;

    private final @Nullable Iterator<Long> order;
    private final boolean allSamples;
    private final double samplesPerSecond;
    private final double bytesPerSecond;
    private final @Nullable Duration nodeWait;
    private final int maxFailures;

    private Options(Builder builder) {
      order = builder.order;
      allSamples = builder.allSamples != null && builder.allSamples;
      samplesPerSecond =
          builder.samplesPerSecond == null ? Double.POSITIVE_INFINITY : builder.samplesPerSecond;
      bytesPerSecond =
          builder.bytesPerSecond == null ? Double.POSITIVE_INFINITY : builder.bytesPerSecond;
      nodeWait = builder.nodeWait;
      maxFailures = builder.maxFailures == null ? DEFAULT_MAX_FAILURES : builder.maxFailures;
    }

    public static Builder builder() {
      return new Builder();
    }

    @Nullable Iterator<Long> order() {
      return order;
    }

    boolean allSamples() {
      return allSamples;
    }

    double samplesPerSecond() {
      return samplesPerSecond;
    }

    double bytesPerSecond() {
      return bytesPerSecond;
    }

    @Nullable Duration nodeWait() {
      return nodeWait;
    }

    int maxFailures() {
      return maxFailures;
    }

    /** Builds {@link Options}; an option set twice is refused. Not thread-safe. */
    public static final class Builder {
      private @Nullable Iterator<Long> order;
      private @Nullable Boolean allSamples;
      private @Nullable Double samplesPerSecond;
      private @Nullable Double bytesPerSecond;
      private @Nullable Duration nodeWait;
      private @Nullable Integer maxFailures;

      private Builder() {}

      /**
       * What the first epoch will read, in that order; asked on the warm-up's thread as it goes.
       * Samples it does not name come after it, in ascending order, as all do by default.
       */
      public Builder order(Iterator<Long> indices) {
        order = once("order", order, indices);
        return this;
      }

      /** As {@link #order(Iterator)}. */
      public Builder order(long... indices) {
        return order(Arrays.stream(indices.clone()).iterator());
      }

      /** Warms the samples of all hosts, for a trainer that is alone in a grid of several. */
      public Builder allSamples(boolean all) {
        allSamples = once("allSamples", allSamples, all);
        return this;
      }

      /** Loads no more than that, positive; by default as fast as the loader threads can. */
      public Builder samplesPerSecond(double most) {
        samplesPerSecond =
            once("samplesPerSecond", samplesPerSecond, positive("samplesPerSecond", most));
        return this;
      }

      /** Loads no more than that many bytes of records, positive; by default without limit. */
      public Builder bytesPerSecond(double most) {
        bytesPerSecond = once("bytesPerSecond", bytesPerSecond, positive("bytesPerSecond", most));
        return this;
      }

      /** How long to wait at a time while there is no node; by default for ever. */
      public Builder nodeWait(Duration longest) {
        if (longest.isNegative()) {
          throw new IllegalArgumentException("nodeWait=%s, allowed: 0 or more".formatted(longest));
        }
        nodeWait = once("nodeWait", nodeWait, longest);
        return this;
      }

      /** After so many failed samples in a row it ends, 1 or more; 20 by default. */
      public Builder maxFailures(int inARow) {
        if (inARow < 1) {
          throw new IllegalArgumentException(
              "maxFailures=%d, allowed: 1 or more".formatted(inARow));
        }
        maxFailures = once("maxFailures", maxFailures, inARow);
        return this;
      }

      public Options build() {
        return new Options(this);
      }

      private static double positive(String option, double value) {
        if (!(value > 0)) {
          throw new IllegalArgumentException("%s=%s, allowed: over 0".formatted(option, value));
        }
        return value;
      }

      private static <T> T once(String option, @Nullable T old, T value) {
        if (old != null) {
          throw new IllegalStateException("%s is set twice".formatted(option));
        }
        return value;
      }
    }
  }
}
