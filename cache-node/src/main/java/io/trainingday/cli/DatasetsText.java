package io.trainingday.cli;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/**
 * The grid's data sets as a table for people. What a node of another version does not tell is shown
 * as 0.
 */
final class DatasetsText {
  private static final int MIN_NAME_COLUMNS = 20;

  private DatasetsText() {}

  static String of(JsonNode datasets) {
    if (datasets.isEmpty()) {
      return "no data set has been opened";
    }
    int columns = MIN_NAME_COLUMNS;
    for (JsonNode dataset : datasets) {
      columns = Math.max(columns, dataset.path("name").asText().length());
    }
    List<String> lines = new ArrayList<>();
    String format = "%-" + columns + "s %10s %9s %14s %12s  %s";
    lines.add(line(format, "data set", "generation", "pipelines", "entries", "held", "hosts"));
    for (JsonNode dataset : datasets) {
      lines.add(
          line(
              format,
              dataset.path("name").asText(),
              dataset.path("generation").asLong(),
              String.format(Locale.ROOT, "%,d", count(dataset.path("pipelines"))),
              String.format(Locale.ROOT, "%,d", dataset.path("entries").asLong()),
              StatusText.bytes(dataset.path("bytes")),
              hosts(dataset.path("hosts"))));
    }
    return String.join(System.lineSeparator(), lines);
  }

  private static String line(String format, Object... values) {
    return String.format(Locale.ROOT, format, values).stripTrailing();
  }

  /** A number, or as many as there are in a list. */
  private static long count(JsonNode value) {
    return value.isContainerNode() ? value.size() : value.asLong();
  }

  private static String hosts(JsonNode hosts) {
    if (!hosts.isArray()) {
      return hosts.asText();
    }
    List<String> names = new ArrayList<>();
    hosts.forEach(host -> names.add(host.asText()));
    return String.join(", ", names);
  }
}
