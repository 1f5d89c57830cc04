package io.trainingday.k8s;

import static io.trainingday.k8s.Manifests.name;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.ArrayList;
import java.util.List;

/** What was applied to a cluster, to be looked up as the kubelet does. */
final class ClusterObjects {
  private final List<JsonNode> all = new ArrayList<>();

  /** Adds objects, those without a namespace to the one given. */
  void apply(String namespace, Iterable<JsonNode> objects) {
    for (JsonNode one : objects) {
      JsonNode copy = one.deepCopy();
      if (!copy.at("/metadata/namespace").isTextual()) {
        copy.withObject("/metadata").put("namespace", namespace);
      }
      all.removeIf(old -> is(old, copy.path("kind").asText(), namespaceOf(copy), name(copy)));
      all.add(copy);
    }
  }

  /** The object of that kind and name. */
  JsonNode of(String kind, String namespace, String name) {
    return all.stream()
        .filter(one -> is(one, kind, namespace, name))
        .findFirst()
        .orElseThrow(() -> new AssertionError("no %s %s in %s".formatted(kind, name, namespace)));
  }

  /** All of a kind. */
  List<JsonNode> of(String kind) {
    return all.stream().filter(one -> one.path("kind").asText().equals(kind)).toList();
  }

  /** The volume that a claim is bound to, by both of them. */
  JsonNode persistentVolume(String namespace, String claim) {
    String volume = of("PersistentVolumeClaim", namespace, claim).at("/spec/volumeName").asText();
    return of("PersistentVolume").stream()
        .filter(
            one ->
                name(one).equals(volume)
                    && one.at("/spec/claimRef/namespace").asText().equals(namespace)
                    && one.at("/spec/claimRef/name").asText().equals(claim))
        .findFirst()
        .orElseThrow(
            () ->
                new AssertionError(
                    "claim %s of %s is bound to nothing".formatted(claim, namespace)));
  }

  static String namespaceOf(JsonNode object) {
    return object.at("/metadata/namespace").asText();
  }

  private static boolean is(JsonNode object, String kind, String namespace, String name) {
    return object.path("kind").asText().equals(kind)
        && namespaceOf(object).equals(namespace)
        && name(object).equals(name);
  }
}
