package io.trainingday.node.inquiry;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.trainingday.grid.SampleKey;

/** Keys in questions and answers between nodes; 64-bit numbers as text, which JSON keeps whole. */
final class Keys {
  private Keys() {}

  static ObjectNode write(ObjectNode out, SampleKey key) {
    return out.put("dataset", hex(key.dataset()))
        .put("incarnation", hex(key.incarnation()))
        .put("pipeline", hex(key.pipeline()))
        .put("version", hex(key.sampleVersion()))
        .put("variant", key.variant())
        .put("index", hex(key.index()));
  }

  static SampleKey read(JsonNode in) {
    return new SampleKey(
        number(in, "dataset"),
        number(in, "incarnation"),
        number(in, "pipeline"),
        number(in, "version"),
        in.path("variant").asInt(),
        number(in, "index"));
  }

  static String hex(long number) {
    return String.format("%016x", number);
  }

  static long number(JsonNode in, String name) {
    return Long.parseUnsignedLong(in.path(name).asText(), 16);
  }
}
