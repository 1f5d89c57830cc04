package io.trainingday.config;

import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Collections;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.function.Function;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * One setting: its dotted key, what it may be, its default and what it means. The constants here
 * are the only place where a key is written down; files, environment names, reference pages and
 * hints derive from them.
 *
 * @param <O> the record that holds the value: {@link Settings}, or {@link Settings.Dataset} for a
 *     key under {@code datasets.<name>}
 * @param <T> the value
 */
public final class SettingKey<O, T> {
  /** What a file holds for a key. */
  public enum Kind {
    TEXT,
    INTEGER,
    BOOLEAN,
    TEXT_LIST
  }

  /** When a changed value counts. */
  public enum Effect {
    /** A node that runs takes it over. */
    AT_ONCE,
    /** Of a data set: when it is opened for the first time; afterwards it keeps what it has. */
    AT_FIRST_OPEN,
    /** When the node is started again. */
    AT_START
  }

  private static final List<SettingKey<Settings, ?>> KEYS = new ArrayList<>();
  private static final List<SettingKey<Settings.Dataset, ?>> DATASET_KEYS = new ArrayList<>();
  private static final String DATASETS = "datasets.";
  private static final int MAX_COMPARED = 256;

  public static final SettingKey<Settings, String> GRID_NAME =
      key(
          "grid.name",
          ValueType.name(),
          "training-day",
          "The grid's name. Nodes of one grid share it.",
          s -> s.grid().name());

  public static final SettingKey<Settings, String> GRID_HOST_ID =
      key(
          "grid.hostId",
          ValueType.host(),
          null,
          "Names the host this node runs on; unset: the host name. In Kubernetes the node's name.",
          s -> s.grid().hostId().orElse(null));

  public static final SettingKey<Settings, String> GRID_ZONE =
      key(
          "grid.zone",
          ValueType.host(),
          null,
          "The failure domain of this host, such as a rack or an availability zone. Copies of a"
              + " sample are kept in different zones where the grid has several.",
          s -> s.grid().zone().orElse(null));

  public static final SettingKey<Settings, String> GRID_LOCAL_ADDRESS =
      key(
          "grid.localAddress",
          ValueType.host(),
          "127.0.0.1",
          "The address other nodes of the grid reach this one at. Whoever reaches the grid's ports"
              + " can join it: open them to its hosts alone.",
          s -> s.grid().localAddress());

  public static final SettingKey<Settings, Integer> GRID_PORT =
      key(
          "grid.port",
          ValueType.integer(1024, 65_535),
          47_500,
          "Port of Ignite's discovery. Exactly this one is used.",
          s -> s.grid().port());

  public static final SettingKey<Settings, Integer> GRID_COMMUNICATION_PORT =
      key(
          "grid.communicationPort",
          ValueType.integer(1024, 65_535),
          47_100,
          "Port of Ignite's messages. Exactly this one is used.",
          s -> s.grid().communicationPort());

  public static final SettingKey<Settings, List<String>> GRID_DISCOVERY_ADDRESSES =
      key(
          "grid.discovery.addresses",
          ValueType.addresses(),
          List.of(),
          "host:port of nodes to join; empty: a grid of one node. Excludes grid.discovery.dnsName.",
          s -> s.grid().discovery().addresses());

  public static final SettingKey<Settings, String> GRID_DISCOVERY_DNS_NAME =
      key(
          "grid.discovery.dnsName",
          ValueType.host(),
          null,
          "A DNS name that gives every node's address, as a headless Service does; each listens on"
              + " grid.port. Excludes grid.discovery.addresses.",
          s -> s.grid().discovery().dnsName().orElse(null));

  // Twice the 5 s for which the JVM and the DNS server of Kubernetes each keep an answer.
  public static final SettingKey<Settings, Duration> GRID_DISCOVERY_SETTLE_TIME =
      key(
          "grid.discovery.settleTime",
          ValueType.duration(Duration.ofMillis(100), Duration.ofMinutes(10)),
          Duration.ofSeconds(10),
          "How long a node that finds no grid waits before it founds one: since DNS last gave other"
              + " addresses, and for an address that neither answers nor refuses.",
          s -> s.grid().discovery().settleTime());

  // 65,536 would pass Ignite's limit of 65,000 partitions a cache; below 32 one node of four
  // already holds a quarter more than its share.
  public static final SettingKey<Settings, Integer> GRID_PARTITIONS =
      key(
          "grid.partitions",
          ValueType.powerOfTwo(32, 32_768),
          1024,
          "Parts the samples are spread in, the same on every node. 1024 serve up to 64 nodes; take"
              + " 16 or more a node beyond. Each costs 96KiB of memory on the nodes that hold it.",
          s -> s.grid().partitions());

  public static final SettingKey<Settings, Duration> GRID_FAILURE_DETECTION_TIMEOUT =
      key(
          "grid.failureDetectionTimeout",
          ValueType.duration(Duration.ofSeconds(1), Duration.ofMinutes(10)),
          Duration.ofSeconds(10),
          "A node silent for so long is taken for dead. Longer than any pause of the JVM.",
          s -> s.grid().failureDetectionTimeout());

  public static final SettingKey<Settings, Path> GRID_TLS_CERTIFICATE =
      key(
          "grid.tls.certificate",
          ValueType.path(),
          null,
          "This node's certificate and the ones it was signed with, PEM. With grid.tls.key and"
              + " grid.tls.trust: the nodes' Ignite ports speak TLS 1.3 and nothing else, and nodes"
              + " show each other their certificates. What changes in the three files counts for"
              + " connections that are made then. Unset, all three: no TLS there.",
          s -> s.grid().tls().certificate().orElse(null));

  public static final SettingKey<Settings, Path> GRID_TLS_KEY =
      key(
          "grid.tls.key",
          ValueType.path(),
          null,
          "The key of that certificate, PEM, PKCS #8.",
          s -> s.grid().tls().key().orElse(null));

  public static final SettingKey<Settings, Path> GRID_TLS_TRUST =
      key(
          "grid.tls.trust",
          ValueType.path(),
          null,
          "The certificates that sign those of nodes, PEM. Whoever has one that they signed may"
              + " join the grid: take a signer that signs nodes alone, not trainers.",
          s -> s.grid().tls().trust().orElse(null));

  public static final SettingKey<Settings, Path> GRID_IGNITE_XML =
      key(
          "grid.igniteXml",
          ValueType.path(),
          null,
          "An Ignite Spring XML file with one IgniteConfiguration to start from; these settings are"
              + " laid on top.",
          s -> s.grid().igniteXml().orElse(null));

  public static final SettingKey<Settings, DataSize> MEMORY_MAX_SIZE =
      key(
          "memory.maxSize",
          ValueType.sizeOrAuto(DataSize.ofMiB(64), DataSize.ofGiB(64 * 1024)),
          DataSize.ofGiB(2),
          "Off-heap memory for samples, taken as it is used and never given back. auto: the"
              + " container's limit, else the host's free memory, less heap, direct memory, slots"
              + " and a reserve; for one node a host.",
          s -> s.memory().maxSize());

  public static final SettingKey<Settings, DataSize> MEMORY_META_MAX_SIZE =
      key(
          "memory.metaMaxSize",
          ValueType.size(DataSize.ofMiB(32), DataSize.ofGiB(64)),
          DataSize.ofMiB(128),
          "Off-heap memory for version keys and pipelines.",
          s -> s.memory().metaMaxSize());

  // What the count of used pages and bytes in flight misses until a put is over: index splits, the
  // tail of each record's last page; and the first pages of partitions that come when nodes leave.
  public static final SettingKey<Settings, DataSize> MEMORY_HEADROOM =
      key(
          "memory.headroom",
          ValueType.size(DataSize.ofMiB(4), DataSize.ofGiB(1024)),
          null,
          "Part of memory.maxSize that fills leave free; unset: 1/32 of it, 8MiB at least.",
          s -> s.memory().headroom().orElse(null));

  public static final SettingKey<Settings, Path> DISK_PATH =
      key(
          "disk.path",
          ValueType.path(),
          null,
          "The directory of this node's disk tier, of this node alone and kept between its starts;"
              + " unset: no disk tier. Data sets with tier disk or hybrid need it on every node.",
          s -> s.disk().path().orElse(null));

  public static final SettingKey<Settings, DataSize> DISK_MAX_SIZE =
      key(
          "disk.maxSize",
          ValueType.size(DataSize.ofMiB(64), DataSize.ofGiB(1024 * 1024)),
          DataSize.ofGiB(64),
          "The most that all files of the disk tier take.",
          s -> s.disk().maxSize());

  public static final SettingKey<Settings, Path> LANE_SOCKET =
      key(
          "lane.socket",
          ValueType.socketPath(),
          null,
          "Unix socket that trainers connect to; unset: /run/training-day/lane.sock if that"
              + " directory can be written, else /tmp/training-day-<uid>/lane.sock.",
          s -> s.lane().socket().orElse(null));

  public static final SettingKey<Settings, Path> LANE_SEGMENT_DIRECTORY =
      key(
          "lane.segmentDirectory",
          ValueType.path(),
          Path.of("/dev/shm"),
          "A tmpfs for the memory shared with trainers.",
          s -> s.lane().segmentDirectory());

  public static final SettingKey<Settings, List<String>> LANE_TENANTS =
      key(
          "lane.tenants",
          ValueType.tenants(),
          List.of(),
          "Tenants of this host, each NAME or NAME:GROUP, with a Unix socket NAME/lane.sock beside"
              + " lane.socket, which is that of the tenant default. Trainers in the group, a name"
              + " or a number, whatever their user, reach the socket and its shared memory, which"
              + " lies beside it; without a group the directory is as it was found, or this user's"
              + " alone. All on a tmpfs. Others than default need lane.tokensFile where there is"
              + " lane.tcp.enabled.",
          s -> s.lane().tenants());

  public static final SettingKey<Settings, Boolean> LANE_TENANT_ADMIN =
      key(
          "lane.tenantAdmin",
          ValueType.bool(),
          false,
          "Whether sockets of tenants other than default give the role admin, too: publish,"
              + " invalidate and the like, of their own data sets.",
          s -> s.lane().tenantAdmin());

  public static final SettingKey<Settings, Settings.Reader> LANE_READER =
      key(
          "lane.reader",
          ValueType.choice(Settings.Reader.class),
          Settings.Reader.PAGE,
          "How stored records are read: page copies Ignite's pages straight to the trainer, public"
              + " uses Ignite's public interface (slower).",
          s -> s.lane().reader());

  public static final SettingKey<Settings, Integer> LANE_MAX_CONNECTIONS =
      key(
          "lane.maxConnections",
          ValueType.integer(1, 65_536),
          1024,
          "Connections at one time. With several tenants half of them are kept, an equal part for"
              + " each, which no other one can take.",
          s -> s.lane().maxConnections());

  public static final SettingKey<Settings, Integer> LANE_MAX_REQUESTS_IN_FLIGHT =
      key(
          "lane.maxRequestsInFlight",
          ValueType.integer(1, 4096),
          64,
          "Unanswered requests of one connection.",
          s -> s.lane().maxRequestsInFlight());

  public static final SettingKey<Settings, DataSize> LANE_MAX_FRAME_SIZE =
      key(
          "lane.maxFrameSize",
          ValueType.size(DataSize.ofMiB(1), DataSize.ofMiB(1024)),
          DataSize.ofMiB(128),
          "The largest message of the lane, its payload included.",
          s -> s.lane().maxFrameSize());

  public static final SettingKey<Settings, DataSize> LANE_MAX_RECORD_SIZE =
      key(
          "lane.maxRecordSize",
          ValueType.size(DataSize.ofKiB(4), DataSize.ofMiB(512)),
          DataSize.ofMiB(64),
          "The largest record that is stored.",
          s -> s.lane().maxRecordSize());

  public static final SettingKey<Settings, Duration> LANE_ANSWER_TIMEOUT =
      key(
          "lane.answerTimeout",
          ValueType.duration(Duration.ofMillis(10), Duration.ofMinutes(1)),
          Duration.ofSeconds(2),
          "A request is answered within this time, if only with `still leased`.",
          s -> s.lane().answerTimeout());

  public static final SettingKey<Settings, DataSize> LANE_SLOTS_MAX_BYTES =
      key(
          "lane.slots.maxBytes",
          ValueType.size(DataSize.ofMiB(1), DataSize.ofGiB(1024)),
          DataSize.ofGiB(1),
          "Shared memory for batches, of all trainers of a host. What does not fit goes through"
              + " the socket. With several lane.tenants half of it is kept, an equal part for each,"
              + " which no other one can take.",
          s -> s.lane().slots().maxBytes());

  public static final SettingKey<Settings, DataSize> LANE_SLOTS_MAX_BYTES_PER_CONNECTION =
      key(
          "lane.slots.maxBytesPerConnection",
          ValueType.size(DataSize.ofMiB(1), DataSize.ofGiB(2)),
          DataSize.ofMiB(512),
          "The part of lane.slots.maxBytes that one connection may take. A segment of it is one"
              + " mapping, in which places are 32-bit numbers: hence the limit.",
          s -> s.lane().slots().maxBytesPerConnection());

  public static final SettingKey<Settings, Settings.SlotWrite> LANE_SLOTS_WRITE =
      key(
          "lane.slots.write",
          ValueType.choice(Settings.SlotWrite.class),
          Settings.SlotWrite.AUTO,
          "How batches get into shared memory. mapped: written where the trainer sees them, which"
              + " is fastest, but a trainer that cuts the file short ends the node. copied: put"
              + " together in the node's own memory and copied by the kernel, so that no trainer"
              + " can harm the node, at about a third of the speed. auto: mapped for the tenant"
              + " default, copied for others.",
          s -> s.lane().slots().write());

  public static final SettingKey<Settings, Boolean> LANE_TCP_ENABLED =
      key(
          "lane.tcp.enabled",
          ValueType.bool(),
          false,
          "Whether the lane is served over TCP too: for other nodes of the grid, and for trainers"
              + " without a node on their host. A grid of several nodes needs it.",
          s -> s.lane().tcp().enabled());

  public static final SettingKey<Settings, String> LANE_TCP_ADDRESS =
      key(
          "lane.tcp.address",
          ValueType.host(),
          null,
          "The address it is served at, which other hosts reach; unset: grid.localAddress.",
          s -> s.lane().tcp().address().orElse(null));

  public static final SettingKey<Settings, Integer> LANE_TCP_PORT =
      key(
          "lane.tcp.port",
          ValueType.integer(0, 65_535),
          9463,
          "The port it is served at; 0: any free one.",
          s -> s.lane().tcp().port());

  public static final SettingKey<Settings, Boolean> LANE_TLS_ENABLED =
      key(
          "lane.tls.enabled",
          ValueType.bool(),
          false,
          "Whether the lane over TCP speaks TLS 1.3, with trainers and between nodes.",
          s -> s.lane().tls().enabled());

  public static final SettingKey<Settings, Path> LANE_TLS_CERTIFICATE =
      key(
          "lane.tls.certificate",
          ValueType.path(),
          null,
          "This node's certificate and the ones it was signed with, PEM. What changes in this file,"
              + " lane.tls.key and lane.tls.trust counts for connections that are made then.",
          s -> s.lane().tls().certificate().orElse(null));

  public static final SettingKey<Settings, Path> LANE_TLS_KEY =
      key(
          "lane.tls.key",
          ValueType.path(),
          null,
          "The key of that certificate, PEM, PKCS #8.",
          s -> s.lane().tls().key().orElse(null));

  public static final SettingKey<Settings, Path> LANE_TLS_TRUST =
      key(
          "lane.tls.trust",
          ValueType.path(),
          null,
          "The certificates that sign those of nodes and clients, PEM.",
          s -> s.lane().tls().trust().orElse(null));

  public static final SettingKey<Settings, Boolean> LANE_TLS_CLIENT_CERTIFICATES =
      key(
          "lane.tls.clientCertificates",
          ValueType.bool(),
          false,
          "Whether whoever connects must show a certificate that lane.tls.trust signed.",
          s -> s.lane().tls().clientCertificates());

  public static final SettingKey<Settings, Path> LANE_TOKENS_FILE =
      key(
          "lane.tokensFile",
          ValueType.path(),
          null,
          "A file of tokens that TCP connections must show, one a line: TOKEN TENANT ROLE[,ROLE]"
              + " [GRANT:PATTERN[,PATTERN]], roles are trainer, peer and admin, grants read, fill"
              + " and admin of data sets by name. Nodes of one grid share a peer token. What"
              + " changes in the file counts at once. Unset: whoever reaches the port may do all.",
          s -> s.lane().tokensFile().orElse(null));

  public static final SettingKey<Settings, DataSize> FILL_MAX_IN_FLIGHT =
      key(
          "fill.maxInFlight",
          ValueType.size(DataSize.ofMiB(1), DataSize.ofGiB(64)),
          DataSize.ofMiB(256),
          "Bytes of fills taken from trainers and not yet stored; heap.",
          s -> s.fill().maxInFlight());

  public static final SettingKey<Settings, Duration> FILL_LEASE_TIMEOUT =
      key(
          "fill.leaseTimeout",
          ValueType.duration(Duration.ofMillis(100), Duration.ofHours(1)),
          Duration.ofSeconds(10),
          "A lease to load a sample ends after this time unless its holder renews it.",
          s -> s.fill().leaseTimeout());

  public static final SettingKey<Settings, Integer> FILL_WRITERS =
      key(
          "fill.writers",
          ValueType.integer(1, 64),
          2,
          "Threads that store fills.",
          s -> s.fill().writers());

  public static final SettingKey<Settings, DataSize> REBALANCE_MAX_RATE =
      key(
          "rebalance.maxRate",
          ValueType.size(DataSize.ofMiB(1), DataSize.ofGiB(64)),
          DataSize.ofMiB(256),
          "Bytes of records a second that this node takes over from others when nodes come or go.",
          s -> s.rebalance().maxRate());

  public static final SettingKey<Settings, Duration> VERSIONS_SERVING_LEASE =
      key(
          "versions.servingLease",
          ValueType.duration(Duration.ofMillis(200), Duration.ofMinutes(1)),
          Duration.ofSeconds(2),
          "A node that has not heard from a majority of the grid for so long stops serving until it"
              + " has. After a node failed, a publish waits this long.",
          s -> s.versions().servingLease());

  public static final SettingKey<Settings, Settings.SmallGrids> VERSIONS_SMALL_GRIDS =
      key(
          "versions.smallGrids",
          ValueType.choice(Settings.SmallGrids.class),
          Settings.SmallGrids.SERVE,
          "What a node does in a grid of two when the other one is lost, where a failure and a cut"
              + " network look the same: serve (and miss what is published on the other side of a"
              + " cut), or stop serving until it is back.",
          s -> s.versions().smallGrids());

  public static final SettingKey<Settings, Duration> RECOVERY_WAIT =
      key(
          "recovery.wait",
          ValueType.duration(Duration.ZERO, Duration.ofHours(24)),
          Duration.ofMinutes(2),
          "With disk.path: after all nodes were down, how long a node waits for the majority of"
              + " them before it starts without what their disks hold. Until then it serves"
              + " nothing.",
          s -> s.recovery().patience());

  public static final SettingKey<Settings, Duration> STOP_HAND_OVER =
      key(
          "stop.handOver",
          ValueType.duration(Duration.ZERO, Duration.ofMinutes(10)),
          Duration.ofSeconds(20),
          "How long a node that was asked to stop may take for the copies of its samples to be"
              + " whole on other nodes and for its trainers to leave. Stopping itself takes up to"
              + " 30 s more.",
          s -> s.stop().handOver());

  public static final SettingKey<Settings, Boolean> METRICS_ENABLED =
      key(
          "metrics.enabled",
          ValueType.bool(),
          true,
          "Whether /metrics, /live and /ready are served.",
          s -> s.metrics().enabled());

  public static final SettingKey<Settings, String> METRICS_ADDRESS =
      key(
          "metrics.address",
          ValueType.host(),
          "127.0.0.1",
          "The address they are served at.",
          s -> s.metrics().address());

  public static final SettingKey<Settings, Integer> METRICS_PORT =
      key(
          "metrics.port",
          ValueType.integer(0, 65_535),
          9464,
          "The port they are served at; 0: any free one.",
          s -> s.metrics().port());

  public static final SettingKey<Settings, Settings.LogLevel> LOG_LEVEL =
      key(
          "log.level",
          ValueType.choice(Settings.LogLevel.class),
          Settings.LogLevel.INFO,
          "The least serious lines that are logged.",
          s -> s.log().level(),
          Effect.AT_ONCE);

  public static final SettingKey<Settings.Dataset, Settings.Validation> DATASET_VALIDATION =
      datasetKey(
          "datasets.<name>.validation",
          ValueType.choice(Settings.Validation.class),
          Settings.Validation.CHECKSUM,
          "What is checked of every record read: its checksum, that and the stamp of its source"
              + " which the reader states (such as modification time and size), or nothing.",
          Settings.Dataset::validation,
          Effect.AT_FIRST_OPEN);

  public static final SettingKey<Settings.Dataset, Duration> DATASET_MAX_AGE =
      datasetKey(
          "datasets.<name>.maxAge",
          ValueType.duration(Duration.ofSeconds(1), Duration.ofDays(3650)),
          null,
          "Records made longer ago are loaded anew; unset: however old.",
          d -> d.maxAge().orElse(null),
          Effect.AT_FIRST_OPEN);

  public static final SettingKey<Settings.Dataset, Integer> DATASET_BACKUPS =
      datasetKey(
          "datasets.<name>.backups",
          ValueType.integer(0, 2),
          0,
          "On how many nodes beside the first each record is kept. With 0 what a dead node held is"
              + " loaded again.",
          Settings.Dataset::backups,
          Effect.AT_FIRST_OPEN);

  public static final SettingKey<Settings.Dataset, Settings.Tier> DATASET_TIER =
      datasetKey(
          "datasets.<name>.tier",
          ValueType.choice(Settings.Tier.class),
          Settings.Tier.MEMORY,
          "Where records are kept: in memory, on disk, or on disk and in memory as far as it goes"
              + " (hybrid). The latter two outlive a restart of their node.",
          Settings.Dataset::tier,
          Effect.AT_FIRST_OPEN);

  public static final SettingKey<Settings.Dataset, Settings.Policy> DATASET_POLICY =
      datasetKey(
          "datasets.<name>.policy",
          ValueType.choice(Settings.Policy.class),
          Settings.Policy.PIN,
          "Which records stay when there is no room for all: those that came first (pin: the best"
              + " for one shuffled pass after the other), those read last (lru), those read most"
              + " often (lfu), or any (random). `training-day dataset` changes it too.",
          Settings.Dataset::policy,
          Effect.AT_ONCE);

  public static final SettingKey<Settings.Dataset, Portion> DATASET_QUOTA =
      datasetKey(
          "datasets.<name>.quota",
          ValueType.portion(),
          Portion.ofPercent(100),
          "The most of a node's memory that its records take, copies included.",
          Settings.Dataset::quota,
          Effect.AT_ONCE);

  public static final SettingKey<Settings.Dataset, Portion> DATASET_GUARANTEED =
      datasetKey(
          "datasets.<name>.guaranteed",
          ValueType.portion(),
          Portion.ofPercent(0),
          "The part of a node's memory that others leave free for it, once it has been opened, and"
              + " do not push it out of.",
          Settings.Dataset::guaranteed,
          Effect.AT_ONCE);

  private static final List<String> SECTIONS =
      Stream.concat(KEYS.stream(), DATASET_KEYS.stream())
          .flatMap(key -> sections(key.name()))
          .distinct()
          .toList();

  private final String name;
  private final ValueType<T> type;
  private final @Nullable T defaultValue;
  private final String comment;
  private final Function<O, @Nullable T> getter;
  private final Effect effect;

  private SettingKey(
      String name,
      ValueType<T> type,
      @Nullable T defaultValue,
      String comment,
      Function<O, @Nullable T> getter,
      Effect effect) {
    this.name = name;
    this.type = type;
    this.defaultValue = defaultValue;
    this.comment = comment;
    this.getter = getter;
    this.effect = effect;
  }

  private static <T> SettingKey<Settings, T> key(
      String name,
      ValueType<T> type,
      @Nullable T defaultValue,
      String comment,
      Function<Settings, @Nullable T> getter) {
    return key(name, type, defaultValue, comment, getter, Effect.AT_START);
  }

  private static <T> SettingKey<Settings, T> key(
      String name,
      ValueType<T> type,
      @Nullable T defaultValue,
      String comment,
      Function<Settings, @Nullable T> getter,
      Effect effect) {
    SettingKey<Settings, T> key =
        new SettingKey<>(name, type, defaultValue, comment, getter, effect);
    KEYS.add(key);
    return key;
  }

  private static <T> SettingKey<Settings.Dataset, T> datasetKey(
      String name,
      ValueType<T> type,
      @Nullable T defaultValue,
      String comment,
      Function<Settings.Dataset, @Nullable T> getter,
      Effect effect) {
    SettingKey<Settings.Dataset, T> key =
        new SettingKey<>(name, type, defaultValue, comment, getter, effect);
    DATASET_KEYS.add(key);
    return key;
  }

  /** Every key but those of single data sets, in the order of the reference. */
  public static List<SettingKey<Settings, ?>> all() {
    return Collections.unmodifiableList(KEYS);
  }

  /** Every key of a single data set, in the order of the reference. */
  public static List<SettingKey<Settings.Dataset, ?>> ofDataset() {
    return Collections.unmodifiableList(DATASET_KEYS);
  }

  /** The key as files nest it: {@code memory.maxSize}, {@code datasets.<name>.validation}. */
  public String name() {
    return name;
  }

  /** The last part of the key: {@code maxSize}. */
  public String shortName() {
    return name.substring(name.lastIndexOf('.') + 1);
  }

  public Kind kind() {
    return type.kind();
  }

  /** What a person may write there, in words. */
  public String allowed() {
    return type.allowed();
  }

  /** Every text that is allowed; empty if there are too many to list. */
  public List<String> choices() {
    return type.choices();
  }

  /**
   * A regular expression that the whole of every allowed text matches, of a list every element;
   * empty if there is none.
   */
  public String pattern() {
    return type.pattern();
  }

  /** The smallest number allowed; only of an integer. */
  public long min() {
    return type.min();
  }

  /** The largest number allowed; only of an integer. */
  public long max() {
    return type.max();
  }

  /** The default; empty where unset has a meaning of its own. */
  public Optional<T> defaultValue() {
    return Optional.ofNullable(defaultValue);
  }

  /** What the setting means, in a sentence or two. */
  public String comment() {
    return comment;
  }

  /** When a changed value counts. */
  public Effect effect() {
    return effect;
  }

  /** The value there, empty if unset. */
  public Optional<T> in(O owner) {
    return Optional.ofNullable(getter.apply(owner));
  }

  /** The value as a person would write it; a list with commas. */
  public String format(T value) {
    return type.formatter().apply(value);
  }

  /**
   * Reads a value as a person writes it; a list with commas.
   *
   * @throws IllegalArgumentException with a hint as its message, or an empty one, if it is not
   *     {@link #allowed()}
   */
  public T parse(String text) {
    T value = type.parser().apply(text);
    if (!type.fits().test(value)) {
      throw new IllegalArgumentException("");
    }
    return value;
  }

  boolean fits(T value) {
    return type.fits().test(value);
  }

  /**
   * The known key most like an unknown one, or the section if that is nearer; what stands for a
   * data set's name is kept.
   */
  public static String nearest(String unknown) {
    String[] parts = unknown.split("\\.", 3);
    String dataset = unknown.startsWith(DATASETS) && parts.length == 3 ? parts[1] : "<name>";
    long depth = depth(unknown);
    return nearest(
        unknown,
        Stream.concat(
                Stream.concat(KEYS.stream(), DATASET_KEYS.stream()).map(SettingKey::name),
                SECTIONS.stream().filter(section -> depth(section) == depth))
            .map(known -> known.replace("<name>", dataset))
            .toList());
  }

  /**
   * The name most like an unknown one.
   *
   * @param known at least one name
   */
  public static String nearest(String unknown, Collection<String> known) {
    String cut = comparable(unknown);
    return known.stream()
        .min(Comparator.comparingInt(name -> distance(cut, comparable(name))))
        .orElseThrow();
  }

  private static String comparable(String name) {
    return name.substring(0, Math.min(name.length(), MAX_COMPARED)).toLowerCase(Locale.ROOT);
  }

  private static long depth(String name) {
    return name.chars().filter(c -> c == '.').count();
  }

  private static Stream<String> sections(String key) {
    return Stream.iterate(key, name -> name.contains("."), SettingKey::parent)
        .map(SettingKey::parent);
  }

  private static String parent(String name) {
    return name.substring(0, name.lastIndexOf('.'));
  }

  /** Insertions, removals and changes of one character that turn one text into the other. */
  private static int distance(String from, String to) {
    int[] row = new int[to.length() + 1];
    for (int j = 0; j <= to.length(); j++) {
      row[j] = j;
    }
    for (int i = 1; i <= from.length(); i++) {
      int diagonal = row[0];
      row[0] = i;
      for (int j = 1; j <= to.length(); j++) {
        int change = diagonal + (from.charAt(i - 1) == to.charAt(j - 1) ? 0 : 1);
        diagonal = row[j];
        row[j] = Math.min(change, 1 + Math.min(row[j], row[j - 1]));
      }
    }
    return row[to.length()];
  }

  @Override
  public String toString() {
    return name;
  }
}
