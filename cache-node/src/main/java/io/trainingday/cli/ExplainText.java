package io.trainingday.cli;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/** What the grid knows of a sample, for people. */
final class ExplainText {
  private ExplainText() {}

  static String of(JsonNode answer) {
    List<String> lines = new ArrayList<>();
    lines.add(
        format(
            "sample %d of data set '%s', partition %d, last changed in generation %d of %d",
            answer.path("index").asLong(),
            answer.path("dataset").asText(),
            answer.path("partition").asLong(),
            answer.path("sampleGeneration").asLong(),
            answer.path("generation").asLong()));
    for (JsonNode host : answer.path("hosts")) {
      lines.add(
          format(
              "  %-20s %-8s %s",
              host.path("host").asText(), role(host.path("role").asText()), where(host)));
    }
    for (JsonNode version : answer.path("versions")) {
      lines.add(
          format(
              "  records of generation %d: %d%s",
              version.path("generation").asLong(),
              version.path("records").asLong(),
              version.path("current").asBoolean() ? "" : ", no longer current"));
    }
    List<String> variants = new ArrayList<>();
    answer.path("variants").forEach(variant -> variants.add(variant.asText()));
    if (!variants.isEmpty()) {
      lines.add("  variants: " + String.join(", ", variants));
    }
    lines.add(miss(answer.path("lastMiss")));
    for (JsonNode silent : answer.path("unanswered")) {
      lines.add(
          format(
              "  %s does not answer: %s",
              silent.path("host").asText(), silent.path("why").asText()));
    }
    return String.join(System.lineSeparator(), lines);
  }

  private static String role(String role) {
    return role.equals("none") ? "-" : role;
  }

  private static String where(JsonNode host) {
    if (!host.path("answered").asBoolean()) {
      return "does not answer";
    }
    boolean memory = host.path("memory").asBoolean();
    boolean disk = host.path("disk").asBoolean();
    return memory && disk ? "memory and disk" : memory ? "memory" : disk ? "disk" : "not there";
  }

  private static String miss(JsonNode miss) {
    if (!miss.isObject()) {
      return "  no miss is remembered";
    }
    String why = miss.path("why").asText();
    return format(
        "  last miss: %s%s, at %s on %s, variant %d, pipeline %s",
        miss.path("reason").asText(),
        why.isEmpty() ? "" : " (" + why + ")",
        miss.path("at").asText(),
        miss.path("host").asText(),
        miss.path("variant").asLong(),
        miss.path("pipeline").asText().lines().findFirst().orElse(""));
  }

  private static String format(String format, Object... values) {
    return String.format(Locale.ROOT, format, values);
  }
}
