package io.trainingday.config;

import io.trainingday.config.SettingsException.Problem;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * All settings of a cache node. Immutable; made by {@link #defaults()}, {@link #builder()} or a
 * reader, which refuse what is out of range or contradicts itself. What each value means, its
 * default and its range stand with its key in {@link SettingKey}.
 *
 * <pre>{@code
 * Settings small =
 *     Settings.builder()
 *         .set(SettingKey.MEMORY_MAX_SIZE, DataSize.ofMiB(256))
 *         .set(SettingKey.LANE_MAX_RECORD_SIZE, DataSize.ofMiB(8))
 *         .build();
 * }</pre>
 *
 * @param datasets what is set for single data sets, by name
 */
public record Settings(
    Grid grid,
    Memory memory,
    Disk disk,
    Lane lane,
    Fill fill,
    Rebalance rebalance,
    Versions versions,
    Recovery recovery,
    Stop stop,
    Metrics metrics,
    Log log,
    Map<String, Dataset> datasets) {

  private static final Settings DEFAULTS = new Values().toSettings();

  public Settings {
    datasets = Map.copyOf(datasets);
  }

  public static Settings defaults() {
    return DEFAULTS;
  }

  public static Builder builder() {
    return new Builder(new Values());
  }

  /** A builder that starts from these settings. */
  public Builder toBuilder() {
    return new Builder(Values.of(this));
  }

  /**
   * These settings with one changed.
   *
   * @throws SettingsException if the value is out of range or contradicts another
   */
  public <T> Settings with(SettingKey<Settings, T> key, T value) {
    return toBuilder().set(key, value).build();
  }

  /** What is set for a data set, or the defaults. */
  public Dataset dataset(String name) {
    return datasets.getOrDefault(name, Dataset.DEFAULTS);
  }

  /**
   * Checks every value and all of them together; for settings put together by a constructor.
   *
   * @throws SettingsException listing all that is wrong
   */
  public void validate() {
    toBuilder().build();
  }

  /** The grid this node belongs to and how it is reached. */
  public record Grid(
      String name,
      Optional<String> hostId,
      Optional<String> zone,
      String localAddress,
      int port,
      int communicationPort,
      Discovery discovery,
      int partitions,
      Duration failureDetectionTimeout,
      GridTls tls,
      Optional<Path> igniteXml) {

    /**
     * The host's id: the one set, else the kernel's host name.
     *
     * @throws SettingsException if none is set and the host name cannot be read
     */
    public String resolvedHostId() {
      return hostId.orElseGet(
          () ->
              fromKernel(
                  SettingKey.GRID_HOST_ID,
                  "the host name",
                  () -> Files.readString(Path.of("/proc/sys/kernel/hostname")).strip()));
    }
  }

  /** How Ignite's ports are encrypted; all three are set, or none. */
  public record GridTls(Optional<Path> certificate, Optional<Path> key, Optional<Path> trust) {
    /** Whether they are. */
    public boolean isEnabled() {
      return certificate.isPresent();
    }
  }

  /** How the nodes of a grid find each other; at most one of both is set. */
  public record Discovery(List<String> addresses, Optional<String> dnsName, Duration settleTime) {
    public Discovery {
      addresses = List.copyOf(addresses);
    }
  }

  /**
   * Off-heap memory.
   *
   * @param maxSize {@link #AUTO} until a node that starts has worked it out
   */
  public record Memory(DataSize maxSize, DataSize metaMaxSize, Optional<DataSize> headroom) {
    /** As much as the container or the host has beside everything else. */
    public static final DataSize AUTO = DataSize.ofBytes(0);

    private static final DataSize MIN_HEADROOM = DataSize.ofMiB(8);

    /** Whether the size is still to be worked out. */
    public boolean isAuto() {
      return maxSize.equals(AUTO);
    }

    /** The headroom set, else 1/32 of the maximum and at least 8 MiB. */
    public DataSize resolvedHeadroom() {
      return headroom.orElseGet(
          () -> DataSize.ofBytes(Math.max(maxSize.bytes() / 32, MIN_HEADROOM.bytes())));
    }
  }

  /**
   * This node's disk tier.
   *
   * @param path the directory of this node alone, empty where it has no disk tier
   */
  public record Disk(Optional<Path> path, DataSize maxSize) {}

  /** The data path between trainers and this node. */
  public record Lane(
      Optional<Path> socket,
      Path segmentDirectory,
      List<String> tenants,
      boolean tenantAdmin,
      Reader reader,
      int maxConnections,
      int maxRequestsInFlight,
      DataSize maxFrameSize,
      DataSize maxRecordSize,
      Duration answerTimeout,
      Slots slots,
      Tcp tcp,
      Tls tls,
      Optional<Path> tokensFile) {
    private static final Path RUN = Path.of("/run/training-day");

    public Lane {
      tenants = List.copyOf(tenants);
    }

    /** The tenants as they are set, in words: the part before a colon, and the one after it. */
    public List<Tenant> tenantList() {
      return tenants.stream().map(Tenant::of).toList();
    }

    /**
     * The socket set, else {@code /run/training-day/lane.sock} if that directory can be written,
     * else {@code /tmp/training-day-<uid>/lane.sock}.
     *
     * @throws SettingsException if none is set and the user id cannot be read
     */
    public Path resolvedSocket() {
      return socket.orElseGet(() -> defaultSocket(RUN));
    }

    static Path defaultSocket(Path run) {
      Path directory =
          Files.isDirectory(run) && Files.isWritable(run)
              ? run
              : Path.of(
                  "/tmp/training-day-"
                      + fromKernel(
                          SettingKey.LANE_SOCKET,
                          "the user id",
                          () -> Files.getAttribute(Path.of("/proc/self"), "unix:uid").toString()));
      return directory.resolve("lane.sock");
    }
  }

  /**
   * A tenant with a socket of its own.
   *
   * @param group that its trainers are in, a name or a number; empty: as its directory is found
   */
  public record Tenant(String name, Optional<String> group) {
    /** Whose data sets a connection names that nothing else is known of. */
    public static final String DEFAULT = "default";

    static Tenant of(String text) {
      int colon = text.indexOf(':');
      return colon < 0
          ? new Tenant(text, Optional.empty())
          : new Tenant(text.substring(0, colon), Optional.of(text.substring(colon + 1)));
    }

    /** Whether it is the one whose socket is {@code lane.socket} itself. */
    public boolean isDefault() {
      return name.equals(DEFAULT);
    }
  }

  /** How batches get into shared memory. */
  public enum SlotWrite {
    AUTO,
    MAPPED,
    COPIED
  }

  /** How stored records are read. */
  public enum Reader {
    PAGE,
    PUBLIC
  }

  /** Limits of the memory shared with trainers. */
  public record Slots(DataSize maxBytes, DataSize maxBytesPerConnection, SlotWrite write) {}

  /** The lane over TCP. */
  public record Tcp(boolean enabled, Optional<String> address, int port) {}

  /** How the lane over TCP is encrypted. Certificate, key and trust are there if it is enabled. */
  public record Tls(
      boolean enabled,
      Optional<Path> certificate,
      Optional<Path> key,
      Optional<Path> trust,
      boolean clientCertificates) {}

  /** How missing samples get in. */
  public record Fill(DataSize maxInFlight, Duration leaseTimeout, int writers) {}

  /**
   * How records move when nodes come and go.
   *
   * @param maxRate bytes a second
   */
  public record Rebalance(DataSize maxRate) {}

  /** What keeps old versions from being served. */
  public record Versions(Duration servingLease, SmallGrids smallGrids) {}

  /**
   * How a grid comes back after all of its nodes were down.
   *
   * @param patience how long a majority of them is waited for
   */
  public record Recovery(Duration patience) {}

  /** How a node stops. */
  public record Stop(Duration handOver) {}

  /** What a node of a grid of two does without the other one. */
  public enum SmallGrids {
    SERVE,
    STOP
  }

  /** Where the node's figures are served. */
  public record Metrics(boolean enabled, String address, int port) {}

  /** What is logged. */
  public record Log(LogLevel level) {}

  /** The least serious lines logged. */
  public enum LogLevel {
    ERROR,
    WARN,
    INFO,
    DEBUG,
    TRACE
  }

  /**
   * What is set for one data set.
   *
   * @param maxAge how old records may be; empty: however old
   * @param policy which records stay when there is no room for all
   * @param quota the most of a node's memory it takes
   * @param guaranteed the part of a node's memory that is kept for it
   */
  public record Dataset(
      Validation validation,
      Optional<Duration> maxAge,
      int backups,
      Tier tier,
      Policy policy,
      Portion quota,
      Portion guaranteed) {
    private static final Dataset DEFAULTS = new Values().toDataset("");
  }

  /** Where the records of a data set are kept. */
  public enum Tier {
    MEMORY,
    /** On disk alone. */
    DISK,
    /** On disk, and in memory as far as it goes. */
    HYBRID;

    /** Whether records are kept in memory, as far as there is room. */
    public boolean inMemory() {
      return this != DISK;
    }

    /** Whether records are kept on disk. */
    public boolean onDisk() {
      return this != MEMORY;
    }
  }

  /** What is checked of every record read. */
  public enum Validation {
    CHECKSUM,
    /** The checksum, and that the source still looks as it did when the record was made. */
    STAMP,
    NONE
  }

  /** Which records of a data set stay when there is no room for all. */
  public enum Policy {
    /** Those that came first. */
    PIN,
    /** Those read last. */
    LRU,
    /** Those read most often. */
    LFU,
    /** Any. */
    RANDOM
  }

  private interface KernelFact {
    String read() throws IOException;
  }

  private static String fromKernel(SettingKey<Settings, ?> key, String what, KernelFact fact) {
    try {
      return fact.read();
    } catch (IOException | UnsupportedOperationException | UncheckedIOException unreadable) {
      throw new SettingsException(
          "settings",
          List.of(
              new Problem(
                  key.name(), "unset", key.allowed(), "set it: " + what + " cannot be read")));
    }
  }

  /**
   * Puts settings together, from code by {@code set} or from text by {@code read}. Code is told of
   * a wrong value at once; what is wrong with text is kept until {@link #build}, so that all of it
   * is told together. Not thread-safe.
   */
  public static final class Builder {
    private final Values values;
    private final Set<SettingKey<?, ?>> setInCode = new HashSet<>();
    private final Set<SettingKey<?, ?>> wrong = new HashSet<>();
    private final List<Problem> problems = new ArrayList<>();

    private Builder(Values values) {
      this.values = values;
    }

    /**
     * Sets a value, over whatever a file or an earlier settings object said.
     *
     * @throws SettingsException if it is out of range, is set here already, or excludes another one
     *     set here
     */
    public <T> Builder set(SettingKey<Settings, T> key, T value) {
      requireAllowed(key, key.name(), value);
      if (setInCode.contains(key)) {
        throw refusal(
            key.name(), key.format(value), "set once", "it is set to " + values.text(key));
      }
      values.put(key, value);
      setInCode.add(key);
      if (setInCode.contains(SettingKey.GRID_DISCOVERY_ADDRESSES)
          && setInCode.contains(SettingKey.GRID_DISCOVERY_DNS_NAME)) {
        Rules.discovery(values.toSettings())
            .ifPresent(
                problem -> {
                  throw new SettingsException("settings", List.of(problem));
                });
      }
      return this;
    }

    /**
     * Sets a value of one data set.
     *
     * @throws SettingsException if it is out of range or the name is none
     */
    public <T> Builder setDataset(String dataset, SettingKey<Dataset, T> key, T value) {
      String name = key.name().replace("<name>", dataset);
      if (!Rules.isDatasetName(dataset)) {
        throw refusal(name, key.format(value), Rules.DATASET_NAME, "");
      }
      requireAllowed(key, name, value);
      values.putDataset(dataset, key, value);
      return this;
    }

    /** Takes a value back to its default. */
    public Builder unset(SettingKey<Settings, ?> key) {
      values.remove(key);
      setInCode.remove(key);
      return this;
    }

    /**
     * Reads a value from text.
     *
     * @param source what to call the key if the text is wrong
     */
    public <T> Builder read(SettingKey<Settings, T> key, String text, String source) {
      parse(key, text, source).ifPresent(value -> values.put(key, value));
      return this;
    }

    /**
     * Reads a value of one data set from text.
     *
     * @param source what to call the key if the text is wrong
     */
    public <T> Builder readDataset(
        String dataset, SettingKey<Dataset, T> key, String text, String source) {
      if (Rules.isDatasetName(dataset)) {
        parse(key, text, source).ifPresent(value -> values.putDataset(dataset, key, value));
      } else {
        refuse(new Problem(source, text, Rules.DATASET_NAME, ""));
      }
      return this;
    }

    /** Names a data set for which nothing but the defaults is set. */
    public Builder readDataset(String dataset, String source) {
      if (Rules.isDatasetName(dataset)) {
        values.addDataset(dataset);
      } else {
        refuse(new Problem(source, dataset, Rules.DATASET_NAME, ""));
      }
      return this;
    }

    /** Adds something wrong that a reader found, to be told with all the rest. */
    public Builder refuse(Problem problem) {
      problems.add(problem);
      return this;
    }

    /** Adds something wrong with the value of a key, whose default then stands in for it. */
    public Builder refuse(SettingKey<?, ?> key, Problem problem) {
      wrong.add(key);
      return refuse(problem);
    }

    /**
     * The settings, checked.
     *
     * @throws SettingsException listing all that is wrong
     */
    public Settings build() {
      return build("settings");
    }

    /**
     * The settings, checked.
     *
     * @param source what was read, for the message
     * @throws SettingsException listing all that is wrong
     */
    public Settings build(String source) {
      Settings settings = values.toSettings();
      List<Problem> all = new ArrayList<>(problems);
      all.addAll(values.outOfRange());
      all.addAll(Rules.check(settings, wrong));
      if (!all.isEmpty()) {
        throw new SettingsException(source, all);
      }
      return settings;
    }

    private <T> Optional<T> parse(SettingKey<?, T> key, String text, String source) {
      try {
        return Optional.of(key.parse(text));
      } catch (IllegalArgumentException notAllowed) {
        String hint = notAllowed.getMessage();
        refuse(key, new Problem(source, text, key.allowed(), hint == null ? "" : hint));
        return Optional.empty();
      }
    }

    private static <T> void requireAllowed(SettingKey<?, T> key, String name, T value) {
      if (!key.fits(value)) {
        throw refusal(name, key.format(value), key.allowed(), "");
      }
    }

    private static SettingsException refusal(
        String key, String value, String allowed, String hint) {
      return new SettingsException("settings", List.of(new Problem(key, value, allowed, hint)));
    }
  }
}
