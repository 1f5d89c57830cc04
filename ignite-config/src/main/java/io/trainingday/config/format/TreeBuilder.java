package io.trainingday.config.format;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.trainingday.config.SettingKey;
import io.trainingday.config.SettingKey.Kind;
import io.trainingday.config.Settings;
import io.trainingday.config.SettingsException.Problem;
import io.trainingday.config.format.SourceNode.Entry;
import io.trainingday.config.format.SourceNode.Scalar;
import io.trainingday.config.format.SourceNode.Section;
import io.trainingday.config.format.SourceNode.Sequence;
import io.trainingday.config.format.SourceNode.Style;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;

/** Source tree to the tree that the schema describes, the same for YAML and XML. */
final class TreeBuilder {
  /** An element of a list in XML. */
  static final String XML_ITEM = "item";

  /** One data set in XML, and the attribute that names it. */
  static final String XML_DATASET = "dataset";

  static final String XML_NAME = "name";
  static final String DATASETS = "datasets";

  private static final JsonNodeFactory NODES = JsonNodeFactory.instance;
  private static final Pattern WHOLE = Pattern.compile("0|-?[1-9][0-9]{0,17}");
  private static final Map<String, Kind> KINDS = kinds();

  private final boolean xml;
  private final Settings.Builder problems;

  private TreeBuilder(boolean xml, Settings.Builder problems) {
    this.xml = xml;
    this.problems = problems;
  }

  static JsonNode ofYaml(SourceNode source, Settings.Builder problems) {
    return new TreeBuilder(false, problems).node(source, "");
  }

  static JsonNode ofXml(SourceNode source, Settings.Builder problems) {
    return new TreeBuilder(true, problems).xmlNode(source, "");
  }

  private static Map<String, Kind> kinds() {
    Map<String, Kind> kinds = new HashMap<>();
    SettingKey.all().forEach(key -> kinds.put(key.name(), key.kind()));
    SettingKey.ofDataset().forEach(key -> kinds.put(key.name(), key.kind()));
    return kinds;
  }

  private JsonNode node(SourceNode source, String path) {
    if (source instanceof Section section) {
      return object(section.entries(), path);
    }
    if (source instanceof Sequence sequence) {
      ArrayNode array = NODES.arrayNode();
      sequence.elements().forEach(element -> array.add(node(element, path)));
      return array;
    }
    Scalar scalar = (Scalar) source;
    return switch (scalar.style()) {
      case TEXT -> NODES.textNode(scalar.text());
      case NUMBER -> number(scalar.text());
      case BOOLEAN ->
          switch (scalar.text()) {
            case "true" -> NODES.booleanNode(true);
            case "false" -> NODES.booleanNode(false);
            default -> NODES.textNode(scalar.text());
          };
      case NULL -> NODES.nullNode();
    };
  }

  /** A number only if it is written as people count: 0x10, 010, 1_000 and 1e3 stay text. */
  private static JsonNode number(String text) {
    return WHOLE.matcher(text).matches()
        ? NODES.numberNode(Long.parseLong(text))
        : NODES.textNode(text);
  }

  private ObjectNode object(List<Entry> entries, String path) {
    ObjectNode object = NODES.objectNode();
    for (Entry entry : entries) {
      if (entry.name().isEmpty() && xml) {
        problems.refuse(
            new Problem(
                path.isEmpty() ? SourceParser.XML_ROOT : path,
                Trees.text(node(entry.value(), path)),
                "elements without text between them",
                ""));
        continue;
      }
      String name = join(path, entry.name());
      add(
          object,
          entry.name(),
          xml ? xmlNode(entry.value(), name) : node(entry.value(), name),
          name);
    }
    return object;
  }

  private void add(ObjectNode object, String field, JsonNode value, String name) {
    if (object.has(field)) {
      problems.refuse(new Problem(name, Trees.text(value), "one value", "the key is there twice"));
    } else {
      object.set(field, value);
    }
  }

  private JsonNode xmlNode(SourceNode source, String path) {
    if (path.equals(DATASETS)) {
      return xmlDatasets(source);
    }
    Kind kind = KINDS.get(path);
    if (kind == Kind.TEXT_LIST) {
      return xmlList(source, path);
    }
    if (source instanceof Scalar scalar) {
      String text = scalar.text().strip();
      if (kind == Kind.INTEGER) {
        return number(text);
      }
      if (kind == Kind.BOOLEAN) {
        return node(new Scalar(text, Style.BOOLEAN), path);
      }
      // <memory/> is a section in which nothing is set.
      return kind == null && text.isEmpty() ? NODES.objectNode() : NODES.textNode(text);
    }
    return node(source, path);
  }

  private JsonNode xmlList(SourceNode source, String path) {
    if (source instanceof Scalar scalar && scalar.text().isBlank()) {
      return NODES.arrayNode();
    }
    if (!(source instanceof Section section)) {
      return node(source, path);
    }
    ArrayNode array = NODES.arrayNode();
    for (Entry entry : section.entries()) {
      if (entry.name().equals(XML_ITEM) && entry.value() instanceof Scalar item) {
        array.add(item.text().strip());
      } else {
        problems.refuse(
            new Problem(
                join(path, entry.name()),
                Trees.text(node(entry.value(), path)),
                "<" + XML_ITEM + ">text</" + XML_ITEM + ">",
                ""));
      }
    }
    return array;
  }

  private JsonNode xmlDatasets(SourceNode source) {
    if (source instanceof Scalar scalar && scalar.text().isBlank()) {
      return NODES.objectNode();
    }
    if (!(source instanceof Section section)) {
      return node(source, DATASETS);
    }
    ObjectNode datasets = NODES.objectNode();
    for (Entry entry : section.entries()) {
      if (entry.name().equals(XML_DATASET) && entry.value() instanceof Section dataset) {
        addDataset(datasets, dataset);
      } else {
        problems.refuse(
            new Problem(
                join(DATASETS, entry.name()),
                Trees.text(node(entry.value(), DATASETS)),
                "<" + XML_DATASET + " " + XML_NAME + "=\"...\">",
                ""));
      }
    }
    return datasets;
  }

  private void addDataset(ObjectNode datasets, Section dataset) {
    ObjectNode values = NODES.objectNode();
    String name = null;
    for (Entry entry : dataset.entries()) {
      if (entry.name().equals(XML_NAME) && name == null && entry.value() instanceof Scalar scalar) {
        name = scalar.text();
      } else {
        add(
            values,
            entry.name(),
            xmlNode(entry.value(), join(DATASETS + ".<name>", entry.name())),
            join(DATASETS + "." + name, entry.name()));
      }
    }
    if (name == null) {
      problems.refuse(
          new Problem(
              DATASETS, Trees.text(values), "<" + XML_DATASET + " " + XML_NAME + "=\"...\">", ""));
    } else {
      add(datasets, name, values, join(DATASETS, name));
    }
  }

  static String join(String path, String name) {
    return path.isEmpty() ? name : path + "." + name;
  }
}
