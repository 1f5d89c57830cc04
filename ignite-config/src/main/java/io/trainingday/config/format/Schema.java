package io.trainingday.config.format;

import com.fasterxml.jackson.databind.JsonNode;
import com.networknt.schema.JsonNodePath;
import com.networknt.schema.JsonSchema;
import com.networknt.schema.JsonSchemaFactory;
import com.networknt.schema.SchemaValidatorsConfig;
import com.networknt.schema.SpecVersion.VersionFlag;
import com.networknt.schema.ValidationMessage;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/** The JSON schema of the settings and what it refuses. */
final class Schema {
  static final String RESOURCE = "training-day.schema.json";

  private static final JsonSchema SCHEMA =
      JsonSchemaFactory.getInstance(VersionFlag.V202012)
          .getSchema(
              Resources.text(RESOURCE),
              SchemaValidatorsConfig.builder().locale(Locale.ROOT).failFast(false).build());

  private Schema() {}

  /** Why something is refused. */
  enum Refusal {
    UNKNOWN,
    WRONG_TYPE,
    NOT_ALLOWED
  }

  /**
   * Every refused place of a tree, as the names that lead there; an element stands for its list.
   */
  static Map<List<String>, Refusal> check(JsonNode tree) {
    Map<List<String>, Refusal> refusals = new HashMap<>();
    for (ValidationMessage message : SCHEMA.validate(tree)) {
      List<String> path = path(message.getInstanceLocation());
      switch (message.getType()) {
        case "additionalProperties" -> {
          path.add(message.getProperty());
          refusals.put(path, Refusal.UNKNOWN);
        }
        case "type" -> refusals.put(path, Refusal.WRONG_TYPE);
        default -> refusals.putIfAbsent(path, Refusal.NOT_ALLOWED);
      }
    }
    return refusals;
  }

  private static List<String> path(JsonNodePath location) {
    List<String> path = new ArrayList<>();
    for (int i = 0; i < location.getNameCount(); i++) {
      if (location.getElement(i) instanceof String name) {
        path.add(name);
      }
    }
    return path;
  }
}
