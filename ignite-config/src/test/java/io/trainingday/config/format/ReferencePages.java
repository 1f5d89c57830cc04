package io.trainingday.config.format;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.SerializationFeature;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.trainingday.config.SettingKey;
import io.trainingday.config.SettingKey.Effect;
import io.trainingday.config.SettingKey.Kind;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Deque;
import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/** Everything that is generated from the table of keys. */
final class ReferencePages {
  private static final ObjectMapper JSON =
      new ObjectMapper().enable(SerializationFeature.INDENT_OUTPUT);
  private static final int WIDTH = 100;

  private ReferencePages() {}

  static String yaml() {
    StringBuilder page = new StringBuilder();
    page.append(
        """
        # Every setting of training-day with its default. Take what you change; the rest may go.
        # Precedence: defaults < file < environment < code. A key is written as an environment
        # variable like this: memory.maxSize is TRAINING_DAY_CONFIG_MEMORY_MAX_SIZE.
        # Keys without a default stand behind a '#'. A change counts when the node is started again,
        # unless the key's comment says otherwise.
        """);
    List<String> open = List.of();
    for (SettingKey<?, ?> key : SettingKey.all()) {
      List<String> sections = sections(key);
      for (int i = common(open, sections); i < sections.size(); i++) {
        page.append(i == 0 ? "\n" : "").append(indent(i)).append(sections.get(i)).append(":\n");
      }
      open = sections;
      String indent = indent(sections.size());
      comment(page, key, indent + "# ", "");
      page.append(indent).append(yamlLine(key)).append('\n');
    }
    page.append(
        """

        # Settings of single data sets, by name. In the environment all of them stand in one variable:
        # TRAINING_DAY_CONFIG_DATASETS={imagenet: {validation: none}}
        datasets:
          #imagenet:
        """);
    for (SettingKey<?, ?> key : SettingKey.ofDataset()) {
      comment(page, key, "    # ", "");
      String line = yamlLine(key);
      page.append(line.startsWith("#") ? "    " : "    #").append(line).append('\n');
    }
    return page.toString();
  }

  private static String yamlLine(SettingKey<?, ?> key) {
    String value = defaultText(key);
    if (value == null) {
      return "#" + key.shortName() + ":";
    }
    return key.shortName() + ": " + (key.kind() == Kind.TEXT_LIST ? "[" + value + "]" : value);
  }

  static String xml() {
    StringBuilder page = new StringBuilder();
    page.append(
        """
        <?xml version="1.0" encoding="UTF-8"?>
        <!-- Every setting of training-day with its default. Take what you change; the rest may go.
             Precedence: defaults < file < environment < code. A key is written as an environment
             variable like this: memory.maxSize is TRAINING_DAY_CONFIG_MEMORY_MAX_SIZE.
             Keys without a default stand inside a comment. A change counts when the node is started
             again, unless the key's comment says otherwise. -->
        <training-day>
        """);
    Deque<String> open = new ArrayDeque<>();
    for (SettingKey<?, ?> key : SettingKey.all()) {
      List<String> sections = sections(key);
      int common = common(new ArrayList<>(open), sections);
      close(page, open, common);
      for (int i = common; i < sections.size(); i++) {
        page.append(indent(i + 1)).append('<').append(sections.get(i)).append(">\n");
        open.addLast(sections.get(i));
      }
      String indent = indent(sections.size() + 1);
      comment(page, key, indent + "<!-- ", " -->");
      page.append(indent).append(xmlLine(key)).append('\n');
    }
    close(page, open, 0);
    page.append(
        """
          <!-- Settings of single data sets, by name. In the environment all of them stand in one
               variable, as YAML: TRAINING_DAY_CONFIG_DATASETS={imagenet: {validation: none}}
               A list, as grid.discovery.addresses, is written
               <addresses><item>10.0.0.1:47500</item><item>10.0.0.2:47500</item></addresses> -->
          <datasets>
            <!-- <dataset name="imagenet"> -->
        """);
    for (SettingKey<?, ?> key : SettingKey.ofDataset()) {
      comment(page, key, "      <!-- ", " -->");
      String line = xmlLine(key);
      page.append("      ");
      page.append(line.startsWith("<!--") ? line : "<!-- " + line + " -->").append('\n');
    }
    page.append(
        """
            <!-- </dataset> -->
          </datasets>
        </training-day>
        """);
    return page.toString();
  }

  private static void close(StringBuilder page, Deque<String> open, int depth) {
    while (open.size() > depth) {
      int level = open.size();
      page.append(indent(level)).append("</").append(open.removeLast()).append(">\n");
    }
  }

  private static String xmlLine(SettingKey<?, ?> key) {
    String name = key.shortName();
    String value = defaultText(key);
    if (value == null) {
      return "<!-- <" + name + "></" + name + "> -->";
    }
    return value.isEmpty() ? "<" + name + "/>" : "<" + name + ">" + value + "</" + name + ">";
  }

  static String schema() throws JsonProcessingException {
    ObjectNode schema = JSON.createObjectNode();
    schema.put("$schema", "https://json-schema.org/draft/2020-12/schema");
    schema.put("title", "Settings of training-day");
    schema.put("type", "object");
    schema.put("additionalProperties", false);
    for (SettingKey<?, ?> key : SettingKey.all()) {
      ObjectNode section = schema;
      for (String name : sections(key)) {
        section = section(section, name);
      }
      section.withObjectProperty("properties").set(key.shortName(), value(key));
    }
    ObjectNode dataset = JSON.createObjectNode();
    dataset.putArray("type").add("object").add("null");
    dataset.put("additionalProperties", false);
    for (SettingKey<?, ?> key : SettingKey.ofDataset()) {
      dataset.withObjectProperty("properties").set(key.shortName(), value(key));
    }
    ObjectNode datasets = schema.withObjectProperty("properties").putObject("datasets");
    datasets.put("description", "Settings of single data sets, by name.");
    datasets.putArray("type").add("object").add("null");
    datasets.set("additionalProperties", dataset);
    return JSON.writeValueAsString(schema) + "\n";
  }

  private static ObjectNode section(ObjectNode parent, String name) {
    ObjectNode properties = parent.withObjectProperty("properties");
    if (properties.get(name) instanceof ObjectNode there) {
      return there;
    }
    ObjectNode section = properties.putObject(name);
    section.putArray("type").add("object").add("null");
    section.put("additionalProperties", false);
    return section;
  }

  private static ObjectNode value(SettingKey<?, ?> key) {
    ObjectNode value = JSON.createObjectNode();
    value.put("description", text(key));
    ObjectNode text = value;
    switch (key.kind()) {
      case INTEGER ->
          value.put("type", "integer").put("minimum", key.min()).put("maximum", key.max());
      case BOOLEAN -> value.put("type", "boolean");
      case TEXT -> value.put("type", "string");
      case TEXT_LIST -> text = value.put("type", "array").putObject("items").put("type", "string");
    }
    if (!key.choices().isEmpty()) {
      key.choices().forEach(text.putArray("enum")::add);
    }
    if (!key.pattern().isEmpty()) {
      text.put("pattern", "^(?:" + key.pattern() + ")$");
    }
    String defaultText = defaultText(key);
    if (defaultText != null) {
      switch (key.kind()) {
        case INTEGER -> value.put("default", Long.parseLong(defaultText));
        case BOOLEAN -> value.put("default", Boolean.parseBoolean(defaultText));
        case TEXT -> value.put("default", defaultText);
        case TEXT_LIST -> value.putArray("default");
      }
    }
    return value;
  }

  /** The table of keys for the module's page. */
  static String table() {
    StringBuilder table =
        new StringBuilder(
            "| key | default | allowed | a change counts | meaning |\n|---|---|---|---|---|\n");
    SettingKey.all().forEach(key -> row(table, key));
    SettingKey.ofDataset().forEach(key -> row(table, key));
    return table.toString();
  }

  private static void row(StringBuilder table, SettingKey<?, ?> key) {
    String value = defaultText(key);
    String shown = value == null ? "unset" : value.isEmpty() ? "empty" : "`" + value + "`";
    table.append(
        "| `%s` | %s | %s | %s | %s |\n"
            .formatted(
                key.name(),
                shown,
                key.allowed(),
                when(key.effect()),
                key.comment().replace("<", "&lt;")));
  }

  private static String text(SettingKey<?, ?> key) {
    String change =
        key.effect() == Effect.AT_START ? "" : " A change counts " + when(key.effect()) + ".";
    return key.comment() + " Allowed: " + key.allowed() + "." + change;
  }

  private static String when(Effect effect) {
    return switch (effect) {
      case AT_ONCE -> "at once";
      case AT_FIRST_OPEN -> "when the data set is first opened";
      case AT_START -> "at the next start";
    };
  }

  private static <O, T> @Nullable String defaultText(SettingKey<O, T> key) {
    return key.defaultValue().map(key::format).orElse(null);
  }

  private static void comment(StringBuilder page, SettingKey<?, ?> key, String start, String end) {
    String text = text(key);
    List<String> lines = new ArrayList<>();
    StringBuilder line = new StringBuilder();
    for (String word : text.split(" ", -1)) {
      if (line.length() > 0
          && start.length() + line.length() + word.length() + end.length() >= WIDTH) {
        lines.add(line.toString());
        line.setLength(0);
      }
      line.append(line.length() == 0 ? "" : " ").append(word);
    }
    lines.add(line.toString());
    lines.forEach(l -> page.append(start).append(l).append(end).append('\n'));
  }

  private static List<String> sections(SettingKey<?, ?> key) {
    List<String> names = Arrays.asList(key.name().split("\\.", -1));
    return names.subList(0, names.size() - 1);
  }

  private static int common(List<String> one, List<String> other) {
    int i = 0;
    while (i < one.size() && i < other.size() && Objects.equals(one.get(i), other.get(i))) {
      i++;
    }
    return i;
  }

  private static String indent(int depth) {
    return "  ".repeat(depth);
  }
}
