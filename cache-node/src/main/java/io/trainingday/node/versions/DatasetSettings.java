package io.trainingday.node.versions;

import io.trainingday.config.SettingKey;
import io.trainingday.config.Settings;
import io.trainingday.node.versions.DatasetRefusedException.Reason;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.stream.Collectors;

/**
 * The names of the settings that are kept of a data set, and those of them that may change. The
 * others are part of what its records are.
 */
public final class DatasetSettings {
  /** What is checked of every record read. */
  public static final String VALIDATION = SettingKey.DATASET_VALIDATION.shortName();

  /** On how many nodes beside the first each record is kept. */
  public static final String BACKUPS = SettingKey.DATASET_BACKUPS.shortName();

  /** How old records may be. */
  public static final String MAX_AGE = SettingKey.DATASET_MAX_AGE.shortName();

  /** Where records are kept. */
  public static final String TIER = SettingKey.DATASET_TIER.shortName();

  /** Stands for a setting that has no value. */
  private static final String NONE = "none";

  /** Which records stay when there is no room for all. */
  public static final String POLICY = SettingKey.DATASET_POLICY.shortName();

  /** The most of a node's memory. */
  public static final String QUOTA = SettingKey.DATASET_QUOTA.shortName();

  /** The part of a node's memory that is kept for it. */
  public static final String GUARANTEED = SettingKey.DATASET_GUARANTEED.shortName();

  private static final Map<String, SettingKey<Settings.Dataset, ?>> CHANGEABLE =
      SettingKey.ofDataset().stream()
          .filter(key -> key.effect() == SettingKey.Effect.AT_ONCE)
          .collect(Collectors.toMap(SettingKey::shortName, key -> key));

  private DatasetSettings() {}

  /** Whether it may change while the data set is in use. */
  public static boolean isChangeable(String name) {
    return CHANGEABLE.containsKey(name);
  }

  /** What is kept of a data set for which these settings are the first. */
  public static Map<String, String> of(Settings.Dataset dataset) {
    return SettingKey.ofDataset().stream()
        .collect(Collectors.toMap(SettingKey::shortName, key -> text(key, dataset)));
  }

  private static <T> String text(SettingKey<Settings.Dataset, T> key, Settings.Dataset dataset) {
    return key.in(dataset).map(key::format).orElse(NONE);
  }

  /** How old records may be, empty: however old. */
  public static Optional<Duration> maxAge(Map<String, String> kept) {
    String text = kept.getOrDefault(MAX_AGE, NONE);
    return text.equals(NONE)
        ? Optional.empty()
        : Optional.of(SettingKey.DATASET_MAX_AGE.parse(text));
  }

  /**
   * Checks what is to change, and writes it as it is kept.
   *
   * @throws DatasetRefusedException naming the setting, its value and what is allowed
   */
  static SortedMap<String, String> checked(Map<String, String> changes) {
    SortedMap<String, String> checked = new TreeMap<>();
    changes.forEach(
        (name, value) -> {
          SettingKey<Settings.Dataset, ?> key = CHANGEABLE.get(name);
          if (key == null) {
            List<String> allowed = CHANGEABLE.keySet().stream().sorted().toList();
            throw new DatasetRefusedException(
                Reason.MALFORMED,
                "setting \"%s\" cannot be changed, take one of %s"
                    .formatted(Checks.shortened(name), String.join(", ", allowed)));
          }
          checked.put(name, checked(key, name, value));
        });
    return checked;
  }

  private static <T> String checked(
      SettingKey<Settings.Dataset, T> key, String name, String value) {
    try {
      return key.format(key.parse(value));
    } catch (IllegalArgumentException notAllowed) {
      String hint = String.valueOf(notAllowed.getMessage());
      throw new DatasetRefusedException(
          Reason.MALFORMED,
          "%s=%s, allowed: %s%s"
              .formatted(
                  name, Checks.shortened(value), key.allowed(), hint.isEmpty() ? "" : ", " + hint));
    }
  }
}
