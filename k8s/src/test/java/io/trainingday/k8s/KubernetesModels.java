package io.trainingday.k8s;

import com.fasterxml.jackson.databind.JsonNode;
import com.google.gson.JsonElement;
import com.google.gson.JsonParser;
import io.kubernetes.client.openapi.JSON;
import java.lang.reflect.InvocationTargetException;
import java.util.Optional;
import java.util.Set;

/**
 * The models of the Kubernetes API: an object with an unknown field, without a required one, or
 * with a value of another type would be refused by the server, or, worse, taken without what was
 * meant.
 */
final class KubernetesModels {
  private static final String MODELS = "io.kubernetes.client.openapi.models.V1";
  private static final Set<String> VERSIONS =
      Set.of("v1", "apps/v1", "batch/v1", "networking.k8s.io/v1", "policy/v1");

  private KubernetesModels() {}

  /** What is wrong with an object; empty if nothing is. */
  static Optional<String> problem(JsonNode object) {
    String version = object.path("apiVersion").asText();
    if (!VERSIONS.contains(version)) {
      return Optional.of("apiVersion=" + version + " is not among " + VERSIONS);
    }
    JsonElement json = JsonParser.parseString(object.toString());
    try {
      Class<?> model = Class.forName(MODELS + object.path("kind").asText());
      model.getMethod("validateJsonElement", JsonElement.class).invoke(null, json);
      // That looks at names alone; reading the object looks at the types of values.
      return JSON.getGson().fromJson(json, model) == null
          ? Optional.of("the object is empty")
          : Optional.empty();
    } catch (InvocationTargetException refused) {
      return Optional.of(String.valueOf(refused.getCause()));
    } catch (ReflectiveOperationException | RuntimeException refused) {
      return Optional.of(refused.toString());
    }
  }
}
