package io.trainingday.config.format;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.trainingday.config.SettingKey;
import io.trainingday.config.Settings;
import io.trainingday.config.SettingsException.Problem;
import io.trainingday.config.format.SourceNode.Entry;
import io.trainingday.config.format.SourceNode.Section;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * Settings from environment variables: {@code memory.maxSize} is {@code
 * TRAINING_DAY_CONFIG_MEMORY_MAX_SIZE}. Upper case cannot spell a data set's name, so all data sets
 * stand in one variable, as YAML: {@code TRAINING_DAY_CONFIG_DATASETS={imagenet: {validation:
 * none}}}.
 */
final class Environment {
  /** What every setting begins with; other variables are none of ours. */
  static final String PREFIX = "TRAINING_DAY_CONFIG_";

  private static final String DATASETS = name(TreeBuilder.DATASETS);
  private static final Map<String, SettingKey<Settings, ?>> KEYS =
      SettingKey.all().stream().collect(Collectors.toMap(key -> name(key.name()), key -> key));

  private static final List<String> KNOWN =
      Stream.concat(Stream.of(DATASETS), KEYS.keySet().stream().sorted()).toList();

  private Environment() {}

  static String name(String key) {
    return PREFIX
        + key.replace('.', '_').replaceAll("([a-z])([A-Z])", "$1_$2").toUpperCase(Locale.ROOT);
  }

  /** The variable that sets a key; of a data set's, the one of all data sets. */
  static String name(SettingKey<?, ?> key) {
    return SettingKey.ofDataset().contains(key) ? DATASETS : name(key.name());
  }

  static void read(Map<String, String> environment, Settings.Builder settings) {
    new TreeMap<>(environment)
        .forEach(
            (name, value) -> {
              if (name.startsWith(PREFIX)) {
                read(name, value, settings);
              }
            });
  }

  /** The variables that make these settings of the defaults. */
  static Map<String, String> of(Settings settings) {
    Map<String, String> variables = new TreeMap<>();
    SettingKey.all().forEach(key -> write(key, settings, variables));
    if (!settings.datasets().isEmpty()) {
      // JSON is YAML.
      ObjectNode datasets = JsonNodeFactory.instance.objectNode();
      settings.datasets().forEach((name, dataset) -> write(dataset, datasets.putObject(name)));
      variables.put(DATASETS, datasets.toString());
    }
    return variables;
  }

  private static <T> void write(
      SettingKey<Settings, T> key, Settings settings, Map<String, String> variables) {
    Optional<T> value = key.in(settings);
    if (!value.equals(key.defaultValue())) {
      value.ifPresent(set -> variables.put(name(key.name()), key.format(set)));
    }
  }

  private static void write(Settings.Dataset dataset, ObjectNode section) {
    SettingKey.ofDataset().forEach(key -> write(key, dataset, section));
  }

  private static <T> void write(
      SettingKey<Settings.Dataset, T> key, Settings.Dataset dataset, ObjectNode section) {
    Optional<T> value = key.in(dataset);
    if (!value.equals(key.defaultValue())) {
      String text = key.format(value.orElseThrow());
      switch (key.kind()) {
        case INTEGER -> section.put(key.shortName(), Long.parseLong(text));
        case BOOLEAN -> section.put(key.shortName(), Boolean.parseBoolean(text));
        case TEXT, TEXT_LIST -> section.put(key.shortName(), text);
      }
    }
  }

  private static void read(String name, String value, Settings.Builder settings) {
    SettingKey<Settings, ?> key = KEYS.get(name);
    if (key != null) {
      settings.read(key, value, name);
    } else if (name.equals(DATASETS)) {
      readDatasets(value, settings);
    } else {
      settings.refuse(
          new Problem(
              name,
              value,
              "a known key, or none that begins with " + PREFIX,
              "did you mean " + SettingKey.nearest(name, KNOWN) + "?"));
    }
  }

  private static void readDatasets(String value, Settings.Builder settings) {
    try {
      SourceNode datasets = SourceParser.yaml(value);
      SourceNode root = new Section(List.of(new Entry(TreeBuilder.DATASETS, datasets)));
      Trees.read(TreeBuilder.ofYaml(root, settings), settings);
    } catch (SourceParser.UnreadableException unreadable) {
      Problem problem = unreadable.problem();
      settings.refuse(new Problem(DATASETS, value, problem.allowed(), problem.hint()));
    }
  }
}
