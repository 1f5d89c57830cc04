package io.trainingday.client;

import java.time.Duration;
import org.jspecify.annotations.Nullable;

/**
 * A trainer's connection to the cache: one to one node, shared by all data sets and threads.
 *
 * <pre>{@code
 * try (TrainingCache cache = TrainingCache.connect();
 *     CachedSamples samples = cache.open(spec);
 *     SampleBatch batch = samples.read(indices, ReadShape.COLLATED, loader)) {
 *   ByteBuffer images = batch.field("image").data();
 * }
 * }</pre>
 *
 * <p>A cache that is not there is no error: it is said once, samples come from the origin, and the
 * connection is made when the node appears. Thread-safe.
 */
@SuppressWarnings("DoNotCallSuggester")
public final class TrainingCache implements AutoCloseable {
  private TrainingCache() {}

  /** Connects with defaults; see {@link #connect(Config)}. */
  public static TrainingCache connect() {
    return connect(Config.builder().build());
  }

  /**
   * Connects. A node that is not there or does not answer is said once, as a warning, and looked
   * for again at most once a second.
   *
   * @throws IllegalArgumentException if the address, wherever it came from, cannot be parsed
   */
  public static TrainingCache connect(Config config) {
    throw new UnsupportedOperationException();
  }

  /**
   * Opens a data set.
   *
   * @throws CacheException if the node refuses it: another source or other settings are known under
   *     that name. When the node is not there now and refuses later, the next read throws it
   */
  public CachedSamples open(DatasetSpec spec) {
    throw new UnsupportedOperationException();
  }

  /** Whether there is a connection to a node now. */
  public boolean isAttached() {
    throw new UnsupportedOperationException();
  }

  /**
   * What the node says of itself, as one JSON object.
   *
   * @throws CacheException if there is no node, or it does not answer in time
   */
  public String nodeStatus() {
    throw new UnsupportedOperationException();
  }

  /** Closes the connection and all data sets opened on it. Batches handed out stay valid. */
  @Override
  public void close() {}

  /** How a client finds its node and how much it does at a time. Immutable. */
  public static final class Config {
    private Config() {}

    public static Builder builder() {
      return new Builder();
    }

    /** Builds a {@link Config}; an option set twice is refused. Not thread-safe. */
    public static final class Builder {
      private Builder() {}

      /**
       * Where the node is: {@code unix:PATH} or {@code tcp://HOST:PORT}. By default {@code
       * TRAINING_DAY_ADDRESS}, else the usual sockets of the host.
       */
      public Builder address(@Nullable String value) {
        return this;
      }

      /** How many threads load samples from the origin, 1–1,024; by default the number of cores. */
      public Builder loaderThreads(int count) {
        return this;
      }

      /**
       * How many batches of one data set are in use or read ahead at a time, 1–1,000, 4 by default:
       * so many slots of shared memory are asked for. A batch over it comes through the socket.
       */
      public Builder slots(int count) {
        return this;
      }

      /** Overwrites the memory of a closed batch with 0xDB, so that a use after close is seen. */
      public Builder poisonReleased(boolean on) {
        return this;
      }

      /** How long a node may take to answer, 2 s by default; then it is taken for gone. */
      public Builder answerTimeout(Duration value) {
        return this;
      }

      /** How long to wait for a sample that another trainer loads, 60 s by default. */
      public Builder leaseWait(Duration value) {
        return this;
      }

      public Config build() {
        return new Config();
      }
    }
  }
}
