package io.trainingday.client;

import io.trainingday.lane.LaneAddress;
import io.trainingday.lane.LaneException;
import io.trainingday.lane.LaneMemory;
import io.trainingday.lane.LaneMessage.StatusReply;
import io.trainingday.lane.LaneMessage.StatusRequest;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicInteger;
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
public final class TrainingCache implements AutoCloseable {
  private final Config config;
  private final LaneMemory memory;
  private final LoaderPool loaders;
  private final AtomicInteger wantedSlots;
  private final Background background = new Background("training-day-keeper");
  private final Attachment attachment;
  private final Set<WarmUp> warmUps = ConcurrentHashMap.newKeySet();
  private volatile boolean closed;

  private TrainingCache(Config config, Access access) {
    this.config = config;
    this.memory =
        config.memoryBytes == null
            ? DirectMemory.shared()
            : DirectMemory.bounded(config.memoryBytes);
    this.loaders = new LoaderPool(config.loaderThreads);
    this.wantedSlots = new AtomicInteger(config.slots);
    Connector connector =
        new Connector(access, config.answerTimeout, memory, wantedSlots::get, background);
    this.attachment = new Attachment(config.address, connector, background);
  }

  /** Connects with defaults; see {@link #connect(Config)}. */
  public static TrainingCache connect() {
    return connect(Config.builder().build());
  }

  /**
   * Connects. A node that is not there or does not answer is said once, as a warning, and looked
   * for again once a second.
   *
   * @throws IllegalArgumentException if the address, the token or a certificate, wherever it came
   *     from, cannot be used
   */
  public static TrainingCache connect(Config config) {
    TrainingCache cache = new TrainingCache(config, Access.of(config, System.getenv()));
    try {
      cache.attachment.attach();
      return cache;
    } catch (RuntimeException e) {
      cache.close();
      throw e;
    }
  }

  /**
   * Opens a data set.
   *
   * @throws CacheException if the node refuses it: another source or other settings are known under
   *     that name. When the node is not there now and refuses later, the next read throws it
   */
  public CachedSamples open(DatasetSpec spec) {
    CachedSamples samples = new CachedSamples(this, spec, FillWatch.NONE);
    samples.open();
    return samples;
  }

  /**
   * Fills the cache with a data set in the background, see {@link WarmUp}.
   *
   * @param loader called on this cache's loader threads for the samples that are missing
   * @throws CacheException if the node refuses the data set. When the node is not there now and
   *     refuses later, the warm-up ends with it
   */
  public WarmUp warm(DatasetSpec spec, SampleLoader loader, WarmUp.Options options) {
    checkOpen();
    WarmUp warmUp = WarmUp.start(this, spec, loader, options);
    warmUps.add(warmUp);
    if (closed) {
      warmUp.stop();
    }
    if (warmUp.state().isEnd()) {
      warmUps.remove(warmUp); // It may have ended before it was there.
    }
    return warmUp;
  }

  /** The node that samples come from now, {@code unix:PATH} or {@code tcp://HOST:PORT}. */
  public Optional<String> attachedTo() {
    Session session = attachment.session();
    return session == null ? Optional.empty() : Optional.of(session.address().text());
  }

  /** Whether there is a connection to a node now. */
  public boolean isAttached() {
    return attachment.session() != null;
  }

  /**
   * What the node says of itself, as one JSON object.
   *
   * @throws CacheException if there is no node, or it does not answer in time
   */
  public String nodeStatus() {
    checkOpen();
    Session session = attachment.session();
    if (session == null) {
      LaneAddress address = LaneAddress.find(config.address, System.getenv());
      Exception why = attachment.homeFailure();
      throw new CacheException(
          NoNodeText.of(address, why), why == null ? new IOException("no connection") : why);
    }
    try {
      return ((StatusReply) session.call(new StatusRequest()).message()).json();
    } catch (IOException | LaneException e) {
      throw new CacheException("no status: " + e.getMessage(), e);
    }
  }

  /**
   * Closes the connection and all data sets opened on it, and stops their warm-ups. Batches handed
   * out stay valid.
   */
  @Override
  public void close() {
    closed = true;
    warmUps.forEach(WarmUp::stop);
    attachment.close();
    background.close();
    loaders.close();
  }

  void checkOpen() {
    if (closed) {
      throw new IllegalStateException("the training cache is closed");
    }
  }

  Config config() {
    return config;
  }

  LaneMemory memory() {
    return memory;
  }

  LoaderPool loaders() {
    return loaders;
  }

  Attachment attachment() {
    return attachment;
  }

  Background background() {
    return background;
  }

  /** It needs no end with the cache any more. */
  void ended(WarmUp warmUp) {
    warmUps.remove(warmUp);
  }

  /** How many samples are loaded at a time. */
  int loaderThreads() {
    return config.loaderThreads;
  }

  /** How many slots of shared memory are worth having. */
  AtomicInteger wantedSlots() {
    return wantedSlots;
  }

  /** How a client finds its node and how much it does at a time. Immutable. */
  public static final class Config {
    private final @Nullable String address;
    private final @Nullable String token;
    private final @Nullable Path tlsTrust;
    private final @Nullable Path tlsCertificate;
    private final @Nullable Path tlsKey;
    private final int loaderThreads;
    private final int slots;
    private final @Nullable Long memoryBytes;
    private final boolean poisonReleased;
    private final @Nullable Duration answerTimeout;
    private final Duration leaseWait;

    private Config(Builder builder) {
      this.address = builder.address;
      this.token = builder.token;
      this.tlsTrust = builder.tlsTrust;
      this.tlsCertificate = builder.tlsCertificate;
      this.tlsKey = builder.tlsKey;
      this.loaderThreads =
          orElse(builder.loaderThreads, Runtime.getRuntime().availableProcessors());
      this.slots = orElse(builder.slots, Builder.DEFAULT_SLOTS);
      this.memoryBytes = builder.memoryBytes;
      this.poisonReleased = orElse(builder.poisonReleased, false);
      this.answerTimeout = builder.answerTimeout;
      this.leaseWait = orElse(builder.leaseWait, Builder.DEFAULT_LEASE_WAIT);
    }

    public static Builder builder() {
      return new Builder();
    }

    @Nullable String address() {
      return address;
    }

    @Nullable String token() {
      return token;
    }

    @Nullable Path tlsTrust() {
      return tlsTrust;
    }

    @Nullable Path tlsCertificate() {
      return tlsCertificate;
    }

    @Nullable Path tlsKey() {
      return tlsKey;
    }

    boolean poisonReleased() {
      return poisonReleased;
    }

    long leaseWaitNanos() {
      return leaseWait.toNanos();
    }

    private static <T> T orElse(@Nullable T set, T byDefault) {
      return set == null ? byDefault : set;
    }

    /** Builds a {@link Config}; an option set twice is refused. Not thread-safe. */
    public static final class Builder {
      private static final int DEFAULT_SLOTS = 4;
      private static final int MAX_SLOTS = 1_000;
      private static final int MAX_LOADER_THREADS = 1_024;
      private static final long LEAST_MEMORY_BYTES = 1L << 20;
      private static final long MOST_MEMORY_BYTES = 1L << 40;
      private static final Duration DEFAULT_LEASE_WAIT = Duration.ofSeconds(60);
      private static final Duration SHORTEST = Duration.ofMillis(1);
      private static final Duration LONGEST = Duration.ofHours(1);

      private @Nullable String address;
      private @Nullable String token;
      private @Nullable Path tlsTrust;
      private @Nullable Path tlsCertificate;
      private @Nullable Path tlsKey;
      private @Nullable Integer loaderThreads;
      private @Nullable Integer slots;
      private @Nullable Long memoryBytes;
      private @Nullable Boolean poisonReleased;
      private @Nullable Duration answerTimeout;
      private @Nullable Duration leaseWait;

      private Builder() {}

      /**
       * Where the node is: {@code unix:PATH} or {@code tcp://HOST:PORT}. By default {@code
       * TRAINING_DAY_ADDRESS}, else the usual sockets of the host.
       */
      public Builder address(String value) {
        address = once("address", address, value);
        return this;
      }

      /**
       * Who the trainer speaks for, to nodes reached over TCP; by default {@code
       * TRAINING_DAY_TOKEN}. Needed where nodes have {@code lane.tokensFile}.
       */
      public Builder token(String value) {
        if (token != null) {
          throw new IllegalStateException("token is set twice");
        }
        token = value;
        return this;
      }

      /**
       * Speaks TLS with nodes reached over TCP, and trusts those whose certificate one in this PEM
       * file has signed; by default {@code TRAINING_DAY_TLS_TRUST}, else there is no TLS.
       */
      public Builder tlsTrust(Path pem) {
        tlsTrust = once("tlsTrust", tlsTrust, pem);
        return this;
      }

      /**
       * The certificate the trainer shows, and behind it the ones it was signed with; PEM. By
       * default {@code TRAINING_DAY_TLS_CERTIFICATE}. Needed where nodes have {@code
       * lane.tls.clientCertificates}.
       */
      public Builder tlsCertificate(Path pem) {
        tlsCertificate = once("tlsCertificate", tlsCertificate, pem);
        return this;
      }

      /** The key of that certificate; PEM, PKCS #8. By default {@code TRAINING_DAY_TLS_KEY}. */
      public Builder tlsKey(Path pem) {
        tlsKey = once("tlsKey", tlsKey, pem);
        return this;
      }

      /** How many threads load samples from the origin, 1–1,024; by default the number of cores. */
      public Builder loaderThreads(int count) {
        loaderThreads =
            once(
                "loaderThreads",
                loaderThreads,
                inRange("loaderThreads", count, MAX_LOADER_THREADS));
        return this;
      }

      /**
       * How many batches are in use at a time, 1–1,000, 4 by default: so many slots of shared
       * memory are asked for. A {@link CachedSamples#stream} brings its own. A batch over it comes
       * through the socket.
       */
      public Builder slots(int count) {
        slots = once("slots", slots, inRange("slots", count, MAX_SLOTS));
        return this;
      }

      /**
       * Direct memory of the JVM's own for batches that come through the socket, samples that are
       * loaded, records on their way to the node, and what is kept for the next ones, all together:
       * 1 MiB–1 TiB. By default all caches of a JVM that were not given a bound share three
       * quarters of what {@code -XX:MaxDirectMemorySize} allows. Slots do not count.
       *
       * <p>Over it, a read that needs some waits until others have ended and batches have been
       * closed, and a record that the node is too busy to take is not kept. A read that is the only
       * one never waits: a batch larger than all of it passes the bound, as do batches that stay
       * open.
       */
      public Builder memory(long bytes) {
        if (bytes < LEAST_MEMORY_BYTES || bytes > MOST_MEMORY_BYTES) {
          throw new IllegalArgumentException(
              "memory=%d bytes, allowed: %d–%d"
                  .formatted(bytes, LEAST_MEMORY_BYTES, MOST_MEMORY_BYTES));
        }
        memoryBytes = once("memory", memoryBytes, bytes);
        return this;
      }

      /** Overwrites the memory of a closed batch with 0xDB, so that a use after close is seen. */
      public Builder poisonReleased(boolean on) {
        poisonReleased = once("poisonReleased", poisonReleased, on);
        return this;
      }

      /**
       * How long a node may take to answer before it is taken for gone, 1 ms–1 h. By default a
       * second more than the node says it keeps, which is 3 s.
       */
      public Builder answerTimeout(Duration value) {
        answerTimeout = once("answerTimeout", answerTimeout, inRange("answerTimeout", value));
        return this;
      }

      /**
       * How long to wait for samples that another trainer loads, 1 ms–1 h, 60 s by default; then
       * they are loaded here too.
       */
      public Builder leaseWait(Duration value) {
        leaseWait = once("leaseWait", leaseWait, inRange("leaseWait", value));
        return this;
      }

      public Config build() {
        return new Config(this);
      }

      private static <T> T once(String option, @Nullable T old, T value) {
        if (old != null) {
          throw new IllegalStateException(
              "%s is set twice: %s and %s".formatted(option, old, value));
        }
        return value;
      }

      private static int inRange(String option, int value, int most) {
        if (value < 1 || value > most) {
          throw new IllegalArgumentException("%s=%d, allowed: 1–%d".formatted(option, value, most));
        }
        return value;
      }

      private static Duration inRange(String option, Duration value) {
        if (value.compareTo(SHORTEST) < 0 || value.compareTo(LONGEST) > 0) {
          throw new IllegalArgumentException("%s=%s, allowed: 1 ms–1 h".formatted(option, value));
        }
        return value;
      }
    }
  }
}
