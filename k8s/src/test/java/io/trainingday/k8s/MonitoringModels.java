package io.trainingday.k8s;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;

/**
 * What of Prometheus Operator's objects the chart uses. Their models are in no library that is
 * small; a field that is not here is one nobody has looked up.
 */
final class MonitoringModels {
  private static final JsonNode FIELDS =
      Chart.yaml(
          """
          ServiceMonitor:
            selector: {matchLabels: {'*': text}}
            endpoints: [{port: text, path: text, interval: text}]
          PodMonitor:
            selector: {matchLabels: {'*': text}}
            podMetricsEndpoints: [{port: text, path: text, interval: text}]
          PrometheusRule:
            groups:
              - name: text
                rules:
                  - {alert: text, expr: text, for: text, labels: {'*': text}, annotations: {'*': text}}
          """);

  private MonitoringModels() {}

  /** What is wrong with an object; empty if nothing is. */
  static Optional<String> problem(JsonNode object) {
    if (!object.path("apiVersion").asText().equals("monitoring.coreos.com/v1")) {
      return Optional.of("apiVersion=" + object.path("apiVersion"));
    }
    Map<String, String> problems = new TreeMap<>();
    look("spec", object.path("spec"), FIELDS.path(object.path("kind").asText()), problems);
    return problems.isEmpty() ? Optional.empty() : Optional.of(problems.toString());
  }

  private static void look(
      String where, JsonNode value, JsonNode known, Map<String, String> problems) {
    if (known.isTextual()) {
      if (!value.isTextual()) {
        problems.put(where, "is no text: " + value);
      }
    } else if (known.isArray()) {
      if (!value.isArray() || value.isEmpty()) {
        problems.put(where, "is no list with elements: " + value);
      }
      int place = 0;
      for (JsonNode element : value) {
        look(where + "[" + place++ + "]", element, known.path(0), problems);
      }
    } else if (known.isObject()) {
      if (!value.isObject() || value.isEmpty()) {
        problems.put(where, "is no object with fields: " + value);
      }
      for (Map.Entry<String, JsonNode> field : value.properties()) {
        JsonNode ofField = known.has("*") ? known.path("*") : known.path(field.getKey());
        look(where + "." + field.getKey(), field.getValue(), ofField, problems);
      }
    } else {
      problems.put(where, "is not known");
    }
  }
}
