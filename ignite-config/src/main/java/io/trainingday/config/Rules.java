package io.trainingday.config;

import static io.trainingday.config.SettingKey.DISK_MAX_SIZE;
import static io.trainingday.config.SettingKey.FILL_LEASE_TIMEOUT;
import static io.trainingday.config.SettingKey.FILL_MAX_IN_FLIGHT;
import static io.trainingday.config.SettingKey.GRID_COMMUNICATION_PORT;
import static io.trainingday.config.SettingKey.GRID_DISCOVERY_ADDRESSES;
import static io.trainingday.config.SettingKey.GRID_DISCOVERY_DNS_NAME;
import static io.trainingday.config.SettingKey.GRID_PARTITIONS;
import static io.trainingday.config.SettingKey.GRID_PORT;
import static io.trainingday.config.SettingKey.GRID_TLS_CERTIFICATE;
import static io.trainingday.config.SettingKey.GRID_TLS_KEY;
import static io.trainingday.config.SettingKey.GRID_TLS_TRUST;
import static io.trainingday.config.SettingKey.LANE_ANSWER_TIMEOUT;
import static io.trainingday.config.SettingKey.LANE_MAX_FRAME_SIZE;
import static io.trainingday.config.SettingKey.LANE_MAX_RECORD_SIZE;
import static io.trainingday.config.SettingKey.LANE_SLOTS_MAX_BYTES;
import static io.trainingday.config.SettingKey.LANE_SLOTS_MAX_BYTES_PER_CONNECTION;
import static io.trainingday.config.SettingKey.LANE_TCP_ENABLED;
import static io.trainingday.config.SettingKey.LANE_TCP_PORT;
import static io.trainingday.config.SettingKey.LANE_TENANTS;
import static io.trainingday.config.SettingKey.LANE_TLS_CERTIFICATE;
import static io.trainingday.config.SettingKey.LANE_TLS_ENABLED;
import static io.trainingday.config.SettingKey.LANE_TLS_KEY;
import static io.trainingday.config.SettingKey.LANE_TLS_TRUST;
import static io.trainingday.config.SettingKey.LANE_TOKENS_FILE;
import static io.trainingday.config.SettingKey.MEMORY_HEADROOM;
import static io.trainingday.config.SettingKey.MEMORY_MAX_SIZE;
import static io.trainingday.config.SettingKey.METRICS_PORT;

import io.trainingday.config.SettingsException.Problem;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.regex.Pattern;

/** What must hold between settings. */
final class Rules {
  /** What a data set may be called, in words. */
  static final String DATASET_NAME =
      "a data-set name of 1 to 255 printable characters without spaces at its ends";

  private static final Pattern PRINTABLE =
      Pattern.compile("[^\\p{Cntrl}\\p{Z}]([^\\p{Cntrl}]{0,253}[^\\p{Cntrl}\\p{Z}])?");

  /**
   * What a partition takes on a node that has a copy of it, even an empty one: two pages of 16 KiB
   * in each of the three caches, one for each number of backups.
   */
  private static final long PARTITION_BYTES = 96L << 10;

  /** What a frame holds beside its payload: a header, and a few bytes a sample of a large batch. */
  private static final DataSize FRAME_OVERHEAD = DataSize.ofKiB(512);

  private final List<Problem> problems = new ArrayList<>();
  private final Set<SettingKey<?, ?>> wrong;

  private Rules(Set<SettingKey<?, ?>> wrong) {
    this.wrong = wrong;
  }

  /** All contradictions but those of keys that are wrong by themselves. */
  static List<Problem> check(Settings settings, Set<SettingKey<?, ?>> wrong) {
    Rules rules = new Rules(wrong);
    rules.checkAll(settings);
    return rules.problems;
  }

  static boolean isDatasetName(String name) {
    return PRINTABLE.matcher(name).matches();
  }

  /** Two ways to find the other nodes exclude each other. */
  static Optional<Problem> discovery(Settings settings) {
    Settings.Discovery discovery = settings.grid().discovery();
    return discovery
        .dnsName()
        .filter(name -> !discovery.addresses().isEmpty())
        .map(
            name ->
                new Problem(
                    GRID_DISCOVERY_DNS_NAME.name(),
                    name,
                    "unset beside "
                        + GRID_DISCOVERY_ADDRESSES
                        + "="
                        + GRID_DISCOVERY_ADDRESSES.format(discovery.addresses()),
                    "set one of both"));
  }

  private void checkAll(Settings settings) {
    Settings.Grid grid = settings.grid();
    Settings.Memory memory = settings.memory();
    Settings.Lane lane = settings.lane();
    Settings.Metrics metrics = settings.metrics();
    Settings.Fill fill = settings.fill();

    if (usable(GRID_DISCOVERY_ADDRESSES, GRID_DISCOVERY_DNS_NAME)) {
      discovery(settings).ifPresent(problems::add);
    }
    checkTcp(settings);
    checkTenants(lane);
    differ(GRID_COMMUNICATION_PORT, grid.communicationPort(), GRID_PORT, grid.port());
    if (metrics.enabled()) {
      differ(METRICS_PORT, metrics.port(), GRID_PORT, grid.port());
      differ(METRICS_PORT, metrics.port(), GRID_COMMUNICATION_PORT, grid.communicationPort());
    }

    DataSize record = lane.maxRecordSize();
    if (settings.disk().path().isPresent()) {
      // The disk tier takes no record of more than a sixteenth of its budget.
      atMost(LANE_MAX_RECORD_SIZE, record, DISK_MAX_SIZE, settings.disk().maxSize(), 16);
    }
    if (!memory.isAuto()) { // Checked again when the node has worked it out.
      checkMemory(grid, memory, record);
    }
    atMost(LANE_MAX_RECORD_SIZE, record, FILL_MAX_IN_FLIGHT, fill.maxInFlight(), 1);
    long payloadBytes = lane.maxFrameSize().bytes() - FRAME_OVERHEAD.bytes();
    if (record.bytes() > payloadBytes) {
      refuse(
          LANE_MAX_RECORD_SIZE,
          record,
          "<= lane.maxFrameSize-" + FRAME_OVERHEAD + "=" + DataSize.ofBytes(payloadBytes),
          LANE_MAX_FRAME_SIZE);
    }
    atMost(
        LANE_SLOTS_MAX_BYTES_PER_CONNECTION,
        lane.slots().maxBytesPerConnection(),
        LANE_SLOTS_MAX_BYTES,
        lane.slots().maxBytes(),
        1);
    if (fill.leaseTimeout().compareTo(lane.answerTimeout()) <= 0) {
      refuse(
          LANE_ANSWER_TIMEOUT,
          LANE_ANSWER_TIMEOUT.format(lane.answerTimeout()),
          "less than " + FILL_LEASE_TIMEOUT + "=" + FILL_LEASE_TIMEOUT.format(fill.leaseTimeout()),
          FILL_LEASE_TIMEOUT);
    }
  }

  private void checkMemory(Settings.Grid grid, Settings.Memory memory, DataSize record) {
    long maxPartitions = memory.maxSize().bytes() / 2 / PARTITION_BYTES;
    if (grid.partitions() > maxPartitions) {
      refuse(
          GRID_PARTITIONS,
          grid.partitions(),
          "<= memory.maxSize/2/96KiB=" + maxPartitions,
          MEMORY_MAX_SIZE);
    }
    memory
        .headroom()
        .ifPresent(size -> atMost(MEMORY_HEADROOM, size, MEMORY_MAX_SIZE, memory.maxSize(), 2));
    atMost(LANE_MAX_RECORD_SIZE, record, MEMORY_MAX_SIZE, memory.maxSize(), 8);
  }

  private void checkTcp(Settings settings) {
    Settings.Grid grid = settings.grid();
    Settings.Lane lane = settings.lane();
    if (lane.tcp().enabled()) {
      differ(LANE_TCP_PORT, lane.tcp().port(), GRID_PORT, grid.port());
      differ(LANE_TCP_PORT, lane.tcp().port(), GRID_COMMUNICATION_PORT, grid.communicationPort());
      if (settings.metrics().enabled() && lane.tcp().port() != 0) {
        differ(METRICS_PORT, settings.metrics().port(), LANE_TCP_PORT, lane.tcp().port());
      }
    } else if (!grid.discovery().addresses().isEmpty() || grid.discovery().dnsName().isPresent()) {
      problems.add(
          new Problem(
              LANE_TCP_ENABLED.name(),
              "false",
              "true in a grid of several nodes",
              "set it, or leave out "
                  + GRID_DISCOVERY_ADDRESSES
                  + " and "
                  + GRID_DISCOVERY_DNS_NAME));
    }
    Settings.GridTls tls = grid.tls();
    if (tls.certificate().isPresent() || tls.key().isPresent() || tls.trust().isPresent()) {
      together(GRID_TLS_CERTIFICATE, tls.certificate());
      together(GRID_TLS_KEY, tls.key());
      together(GRID_TLS_TRUST, tls.trust());
    }
    if (lane.tls().enabled()) {
      required(LANE_TLS_CERTIFICATE, lane.tls().certificate());
      required(LANE_TLS_KEY, lane.tls().key());
      required(LANE_TLS_TRUST, lane.tls().trust());
    }
  }

  private void checkTenants(Settings.Lane lane) {
    Set<String> names = new HashSet<>();
    for (Settings.Tenant tenant : lane.tenantList()) {
      if (!names.add(tenant.name())) {
        problems.add(
            new Problem(LANE_TENANTS.name(), tenant.name(), "named once", "leave one of them out"));
      }
    }
    names.remove(Settings.Tenant.DEFAULT);
    if (!names.isEmpty() && lane.tcp().enabled() && lane.tokensFile().isEmpty()) {
      problems.add(
          new Problem(
              LANE_TOKENS_FILE.name(),
              "unset",
              "a path, where lane.tenants are others than default",
              "set it, for without tokens whoever comes by TCP is the tenant default and may do"
                  + " all; or set "
                  + LANE_TCP_ENABLED
                  + " to false"));
    }
  }

  private void together(SettingKey<Settings, ?> key, Optional<?> value) {
    if (value.isEmpty() && !wrong.contains(key)) {
      problems.add(
          new Problem(
              key.name(),
              "unset",
              key.allowed(),
              "set it, or none of grid.tls.certificate, grid.tls.key and grid.tls.trust"));
    }
  }

  private void required(SettingKey<Settings, ?> key, Optional<?> value) {
    if (value.isEmpty() && usable(key, LANE_TLS_ENABLED)) {
      problems.add(
          new Problem(
              key.name(), "unset", key.allowed(), "set it, or " + LANE_TLS_ENABLED + " to false"));
    }
  }

  private void atMost(
      SettingKey<Settings, DataSize> key,
      DataSize value,
      SettingKey<Settings, DataSize> limitKey,
      DataSize limit,
      int divisor) {
    long maxBytes = limit.bytes() / divisor;
    if (value.bytes() > maxBytes) {
      String name = divisor == 1 ? limitKey.name() : limitKey + "/" + divisor;
      refuse(key, value, "<= " + name + "=" + DataSize.ofBytes(maxBytes), limitKey);
    }
  }

  private void refuse(
      SettingKey<?, ?> key, Object value, String relation, SettingKey<?, ?> limitKey) {
    if (usable(key, limitKey)) {
      problems.add(
          new Problem(
              key.name(), value.toString(), relation, "lower " + key + " or raise " + limitKey));
    }
  }

  private void differ(SettingKey<?, ?> key, int port, SettingKey<?, ?> otherKey, int otherPort) {
    if (port == otherPort && usable(key, otherKey)) {
      problems.add(
          new Problem(
              key.name(),
              Integer.toString(port),
              "<> " + otherKey + "=" + otherPort,
              "give each its own port"));
    }
  }

  private boolean usable(SettingKey<?, ?> one, SettingKey<?, ?> other) {
    return !wrong.contains(one) && !wrong.contains(other);
  }
}
