package io.trainingday.config.format;

import com.fasterxml.jackson.databind.JsonNode;
import io.trainingday.config.SettingKey;
import io.trainingday.config.SettingKey.Kind;
import io.trainingday.config.Settings;
import io.trainingday.config.SettingsException.Problem;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;
import org.jspecify.annotations.Nullable;

/** Tree to settings: what the schema refuses is told in our words, the rest is read. */
final class Trees {
  private static final Map<String, SettingKey<Settings, ?>> KEYS =
      SettingKey.all().stream().collect(Collectors.toMap(SettingKey::name, key -> key));
  private static final Map<String, SettingKey<Settings.Dataset, ?>> DATASET_KEYS =
      SettingKey.ofDataset().stream().collect(Collectors.toMap(SettingKey::shortName, key -> key));

  private final Settings.Builder settings;
  private final Map<List<String>, Schema.Refusal> refusals;

  private Trees(Settings.Builder settings, Map<List<String>, Schema.Refusal> refusals) {
    this.settings = settings;
    this.refusals = refusals;
  }

  static void read(JsonNode tree, Settings.Builder settings) {
    new Trees(settings, Schema.check(tree)).node(tree, List.of());
  }

  /** A value as a person would see it: a scalar's text, anything larger as JSON. */
  static String text(JsonNode node) {
    return node.isValueNode() ? node.asText() : node.toString();
  }

  private void node(JsonNode node, List<String> path) {
    String name = String.join(".", path);
    Schema.Refusal refusal = refusals.get(path);
    SettingKey<Settings, ?> key = KEYS.get(name);
    SettingKey<Settings.Dataset, ?> datasetKey = isDataset(path, 3) ? datasetKey(path) : null;
    if (refusal == Schema.Refusal.UNKNOWN) {
      settings.refuse(
          new Problem(
              name, text(node), "a known key", "did you mean " + SettingKey.nearest(name) + "?"));
    } else if (key != null) {
      if (refusal == null) {
        settings.read(key, valueText(node), name);
      } else {
        refuse(key, node, name, refusal);
      }
    } else if (datasetKey != null) {
      if (refusal == null) {
        settings.readDataset(path.get(1), datasetKey, valueText(node), name);
      } else {
        refuse(datasetKey, node, name, refusal);
      }
    } else if (refusal != null) {
      settings.refuse(
          new Problem(path.isEmpty() ? "file" : name, text(node), sectionText(path), ""));
    } else {
      section(node, path, name);
    }
  }

  private void section(JsonNode node, List<String> path, String name) {
    if (isDataset(path, 2) && node.isEmpty()) {
      settings.readDataset(path.get(1), name);
    }
    for (Map.Entry<String, JsonNode> field : node.properties()) {
      List<String> fieldPath = new ArrayList<>(path);
      fieldPath.add(field.getKey());
      node(field.getValue(), List.copyOf(fieldPath));
    }
  }

  private static boolean isDataset(List<String> path, int depth) {
    return path.size() == depth && path.get(0).equals(TreeBuilder.DATASETS);
  }

  private static @Nullable SettingKey<Settings.Dataset, ?> datasetKey(List<String> path) {
    return DATASET_KEYS.get(path.get(2));
  }

  private static String valueText(JsonNode node) {
    return node.isArray()
        ? StreamSupport.stream(node.spliterator(), false)
            .map(JsonNode::asText)
            .collect(Collectors.joining(","))
        : node.asText();
  }

  private void refuse(SettingKey<?, ?> key, JsonNode node, String name, Schema.Refusal refusal) {
    settings.refuse(key, new Problem(name, text(node), key.allowed(), hint(key, node, refusal)));
  }

  private static String hint(SettingKey<?, ?> key, JsonNode node, Schema.Refusal refusal) {
    if (node.isNull()) {
      return "write a value or leave the key out";
    }
    if (key.kind() == Kind.TEXT_LIST) {
      return node.isArray() ? "" : "write a list";
    }
    if (!node.isValueNode()) {
      return "write one value";
    }
    String parserHint = parserHint(key, node.asText());
    if (parserHint != null) {
      return parserHint;
    }
    if (refusal == Schema.Refusal.NOT_ALLOWED) {
      return "";
    }
    return key.kind() == Kind.TEXT ? "put it in quotes" : "write it without quotes";
  }

  private static @Nullable String parserHint(SettingKey<?, ?> key, String text) {
    try {
      key.parse(text);
      return null;
    } catch (IllegalArgumentException notAllowed) {
      return notAllowed.getMessage();
    }
  }

  private static String sectionText(List<String> path) {
    if (isDataset(path, 1)) {
      return "a section with data-set names";
    }
    if (isDataset(path, 2)) {
      return "a section with " + String.join(", ", DATASET_KEYS.keySet());
    }
    String prefix = path.isEmpty() ? "" : String.join(".", path) + ".";
    return "a section with "
        + Stream.concat(
                SettingKey.all().stream().map(SettingKey::name),
                SettingKey.ofDataset().stream().map(SettingKey::name))
            .filter(name -> name.startsWith(prefix))
            .map(name -> name.substring(prefix.length()))
            .map(name -> name.contains(".") ? name.substring(0, name.indexOf('.')) : name)
            .distinct()
            .collect(Collectors.joining(", "));
  }
}
