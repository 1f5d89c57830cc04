package io.trainingday.config;

import io.trainingday.config.SettingsException.Problem;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;

/** Values by key, and the way to and from the records. What is absent has its default. */
final class Values {
  private final Map<SettingKey<?, ?>, Object> map = new HashMap<>();
  private final Map<String, Map<SettingKey<?, ?>, Object>> datasets = new TreeMap<>();

  static Values of(Settings settings) {
    Values values = new Values();
    for (SettingKey<Settings, ?> key : SettingKey.all()) {
      key.in(settings).ifPresent(value -> values.map.put(key, value));
    }
    settings.datasets().forEach(values::copyDataset);
    return values;
  }

  private void copyDataset(String name, Settings.Dataset dataset) {
    addDataset(name);
    for (SettingKey<Settings.Dataset, ?> key : SettingKey.ofDataset()) {
      key.in(dataset).ifPresent(value -> dataset(name).put(key, value));
    }
  }

  <T> void put(SettingKey<Settings, T> key, T value) {
    map.put(key, value);
  }

  void remove(SettingKey<Settings, ?> key) {
    map.remove(key);
  }

  void addDataset(String name) {
    dataset(name);
  }

  <T> void putDataset(String name, SettingKey<Settings.Dataset, T> key, T value) {
    dataset(name).put(key, value);
  }

  <T> String text(SettingKey<Settings, T> key) {
    return find(map, key).map(key::format).orElse("unset");
  }

  List<Problem> outOfRange() {
    List<Problem> problems = new ArrayList<>();
    SettingKey.all().forEach(key -> check(map, key, key.name(), problems));
    for (SettingKey<Settings.Dataset, ?> key : SettingKey.ofDataset()) {
      datasets.forEach(
          (name, values) -> check(values, key, key.name().replace("<name>", name), problems));
    }
    return problems;
  }

  private static <T> void check(
      Map<SettingKey<?, ?>, Object> values,
      SettingKey<?, T> key,
      String name,
      List<Problem> problems) {
    find(values, key)
        .filter(value -> !key.fits(value))
        .ifPresent(value -> problems.add(new Problem(name, key.format(value), key.allowed(), "")));
  }

  Settings toSettings() {
    Map<String, Settings.Dataset> records = new HashMap<>();
    datasets.keySet().forEach(name -> records.put(name, toDataset(name)));
    return new Settings(
        new Settings.Grid(
            get(SettingKey.GRID_NAME),
            find(map, SettingKey.GRID_HOST_ID),
            find(map, SettingKey.GRID_ZONE),
            get(SettingKey.GRID_LOCAL_ADDRESS),
            get(SettingKey.GRID_PORT),
            get(SettingKey.GRID_COMMUNICATION_PORT),
            new Settings.Discovery(
                get(SettingKey.GRID_DISCOVERY_ADDRESSES),
                find(map, SettingKey.GRID_DISCOVERY_DNS_NAME),
                get(SettingKey.GRID_DISCOVERY_SETTLE_TIME)),
            get(SettingKey.GRID_PARTITIONS),
            get(SettingKey.GRID_FAILURE_DETECTION_TIMEOUT),
            new Settings.GridTls(
                find(map, SettingKey.GRID_TLS_CERTIFICATE),
                find(map, SettingKey.GRID_TLS_KEY),
                find(map, SettingKey.GRID_TLS_TRUST)),
            find(map, SettingKey.GRID_IGNITE_XML)),
        new Settings.Memory(
            get(SettingKey.MEMORY_MAX_SIZE),
            get(SettingKey.MEMORY_META_MAX_SIZE),
            find(map, SettingKey.MEMORY_HEADROOM)),
        new Settings.Disk(find(map, SettingKey.DISK_PATH), get(SettingKey.DISK_MAX_SIZE)),
        new Settings.Lane(
            find(map, SettingKey.LANE_SOCKET),
            get(SettingKey.LANE_SEGMENT_DIRECTORY),
            get(SettingKey.LANE_TENANTS),
            get(SettingKey.LANE_TENANT_ADMIN),
            get(SettingKey.LANE_READER),
            get(SettingKey.LANE_MAX_CONNECTIONS),
            get(SettingKey.LANE_MAX_REQUESTS_IN_FLIGHT),
            get(SettingKey.LANE_MAX_FRAME_SIZE),
            get(SettingKey.LANE_MAX_RECORD_SIZE),
            get(SettingKey.LANE_ANSWER_TIMEOUT),
            new Settings.Slots(
                get(SettingKey.LANE_SLOTS_MAX_BYTES),
                get(SettingKey.LANE_SLOTS_MAX_BYTES_PER_CONNECTION),
                get(SettingKey.LANE_SLOTS_WRITE)),
            new Settings.Tcp(
                get(SettingKey.LANE_TCP_ENABLED),
                find(map, SettingKey.LANE_TCP_ADDRESS),
                get(SettingKey.LANE_TCP_PORT)),
            new Settings.Tls(
                get(SettingKey.LANE_TLS_ENABLED),
                find(map, SettingKey.LANE_TLS_CERTIFICATE),
                find(map, SettingKey.LANE_TLS_KEY),
                find(map, SettingKey.LANE_TLS_TRUST),
                get(SettingKey.LANE_TLS_CLIENT_CERTIFICATES)),
            find(map, SettingKey.LANE_TOKENS_FILE)),
        new Settings.Fill(
            get(SettingKey.FILL_MAX_IN_FLIGHT),
            get(SettingKey.FILL_LEASE_TIMEOUT),
            get(SettingKey.FILL_WRITERS)),
        new Settings.Rebalance(get(SettingKey.REBALANCE_MAX_RATE)),
        new Settings.Versions(
            get(SettingKey.VERSIONS_SERVING_LEASE), get(SettingKey.VERSIONS_SMALL_GRIDS)),
        new Settings.Recovery(get(SettingKey.RECOVERY_WAIT)),
        new Settings.Stop(get(SettingKey.STOP_HAND_OVER)),
        new Settings.Metrics(
            get(SettingKey.METRICS_ENABLED),
            get(SettingKey.METRICS_ADDRESS),
            get(SettingKey.METRICS_PORT)),
        new Settings.Log(get(SettingKey.LOG_LEVEL)),
        records);
  }

  /** The settings of a data set; of one that is not there, the defaults. */
  Settings.Dataset toDataset(String name) {
    Map<SettingKey<?, ?>, Object> values = datasets.getOrDefault(name, Map.of());
    return new Settings.Dataset(
        get(values, SettingKey.DATASET_VALIDATION),
        find(values, SettingKey.DATASET_MAX_AGE),
        get(values, SettingKey.DATASET_BACKUPS),
        get(values, SettingKey.DATASET_TIER),
        get(values, SettingKey.DATASET_POLICY),
        get(values, SettingKey.DATASET_QUOTA),
        get(values, SettingKey.DATASET_GUARANTEED));
  }

  private Map<SettingKey<?, ?>, Object> dataset(String name) {
    return datasets.computeIfAbsent(name, absent -> new HashMap<>());
  }

  private <T> T get(SettingKey<Settings, T> key) {
    return get(map, key);
  }

  private static <T> T get(Map<SettingKey<?, ?>, Object> values, SettingKey<?, T> key) {
    return find(values, key).orElseThrow();
  }

  // Only put, putDataset and copies of records fill the maps, each with the key's own type.
  @SuppressWarnings("unchecked")
  private static <T> Optional<T> find(Map<SettingKey<?, ?>, Object> values, SettingKey<?, T> key) {
    Object value = values.get(key);
    return value == null ? key.defaultValue() : Optional.of((T) value);
  }
}
