package io.trainingday.node.reload;

import io.trainingday.config.SettingKey;
import io.trainingday.config.SettingKey.Effect;
import io.trainingday.config.Settings;
import io.trainingday.node.versions.DatasetSettings;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.SortedMap;
import java.util.SortedSet;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.Collectors;

/** What differs between settings. A data set that is not named has the defaults. */
final class SettingsChange {
  private SettingsChange() {}

  /** The keys that differ and count at the next start of a node, in the order of the reference. */
  static List<String> atStart(Settings before, Settings after) {
    return SettingKey.all().stream()
        .filter(key -> key.effect() == Effect.AT_START && differs(key, before, after))
        .map(SettingKey::name)
        .toList();
  }

  private static <T> boolean differs(SettingKey<Settings, T> key, Settings before, Settings after) {
    return !key.in(before).equals(key.in(after));
  }

  /**
   * The data sets for which anything differs. To be named with nothing but defaults is not the same
   * as not to be named: then whoever opens it first has a say.
   */
  static SortedSet<String> datasets(Settings before, Settings after) {
    SortedSet<String> names = new TreeSet<>(before.datasets().keySet());
    names.addAll(after.datasets().keySet());
    names.removeIf(name -> named(before, name).equals(named(after, name)));
    return names;
  }

  private static Optional<Settings.Dataset> named(Settings settings, String name) {
    return Optional.ofNullable(settings.datasets().get(name));
  }

  /** What differs and counts at once, by short name, as it is afterwards. */
  static SortedMap<String, String> atOnce(Settings.Dataset before, Settings.Dataset after) {
    return missing(atOnce(after), atOnce(before));
  }

  /** What counts at once, by short name. */
  static SortedMap<String, String> atOnce(Settings.Dataset dataset) {
    return of(dataset, Effect.AT_ONCE);
  }

  /** What counts for a data set that is opened for the first time, and cannot be changed then. */
  static SortedMap<String, String> atFirstOpen(Settings.Dataset dataset) {
    return of(dataset, Effect.AT_FIRST_OPEN);
  }

  private static SortedMap<String, String> of(Settings.Dataset dataset, Effect effect) {
    Set<String> names =
        SettingKey.ofDataset().stream()
            .filter(key -> key.effect() == effect)
            .map(SettingKey::shortName)
            .collect(Collectors.toSet());
    SortedMap<String, String> settings = new TreeMap<>(DatasetSettings.of(dataset));
    settings.keySet().retainAll(names);
    return settings;
  }

  /** Those of {@code wanted} that are not so in {@code there}. */
  static SortedMap<String, String> missing(Map<String, String> wanted, Map<String, String> there) {
    SortedMap<String, String> missing = new TreeMap<>(wanted);
    missing.entrySet().removeIf(one -> one.getValue().equals(there.get(one.getKey())));
    return missing;
  }
}
