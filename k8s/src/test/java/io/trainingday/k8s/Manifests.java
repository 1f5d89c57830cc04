package io.trainingday.k8s;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;

/** Objects of Kubernetes as they would be applied. */
record Manifests(List<JsonNode> all) {
  private static final List<String> WITH_TEMPLATE = List.of("DaemonSet", "StatefulSet", "Job");

  /** The objects of one kind. */
  List<JsonNode> of(String kind) {
    return all.stream().filter(one -> one.path("kind").asText().equals(kind)).toList();
  }

  /** The one object of a kind and a name. */
  JsonNode one(String kind, String name) {
    return find(kind, name)
        .orElseThrow(() -> new AssertionError("no " + kind + " named " + name + " is rendered"));
  }

  Optional<JsonNode> find(String kind, String name) {
    return of(kind).stream().filter(one -> name(one).equals(name)).findFirst();
  }

  /** Every pod and every template of one: objects with metadata and spec. */
  List<JsonNode> pods() {
    return Stream.concat(
            of("Pod").stream(),
            all.stream()
                .filter(one -> WITH_TEMPLATE.contains(one.path("kind").asText()))
                .map(one -> one.at("/spec/template")))
        .toList();
  }

  /** The template of the cache nodes' pods. */
  JsonNode nodes() {
    return workload().at("/spec/template");
  }

  /** The DaemonSet or StatefulSet. */
  JsonNode workload() {
    return Stream.of("DaemonSet", "StatefulSet")
        .flatMap(kind -> of(kind).stream())
        .findFirst()
        .orElseThrow();
  }

  static String name(JsonNode object) {
    return object.at("/metadata/name").asText();
  }

  /** The elements of an array, none where there is no array. */
  static Stream<JsonNode> each(JsonNode array) {
    return StreamSupport.stream(array.spliterator(), false);
  }

  /** The element of an array with this name. */
  static JsonNode named(JsonNode array, String name) {
    return each(array)
        .filter(one -> one.path("name").asText().equals(name))
        .findFirst()
        .orElseThrow(() -> new AssertionError("nothing named " + name + " in " + array));
  }

  /** The entries of an object of texts. */
  static Map<String, String> texts(JsonNode object) {
    TreeMap<String, String> texts = new TreeMap<>();
    object.properties().forEach(entry -> texts.put(entry.getKey(), entry.getValue().asText()));
    return texts;
  }

  /** Whether a selector of labels takes an object with these. */
  static boolean selects(JsonNode matchLabels, JsonNode pod) {
    return !matchLabels.isEmpty()
        && texts(pod.at("/metadata/labels")).entrySet().containsAll(texts(matchLabels).entrySet());
  }
}
