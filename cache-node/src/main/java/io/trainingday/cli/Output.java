package io.trainingday.cli;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.json.JsonMapper;
import java.io.PrintWriter;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/**
 * What a verb answers: text for people or, with {@code --json}, one JSON value that keeps to the
 * verb's file in {@code io/trainingday/cli/schema}. Mixed into every verb that answers. Errors and
 * questions go to standard error either way.
 */
final class Output {
  static final JsonMapper MAPPER = new JsonMapper();

  @Spec(Spec.Target.MIXEE)
  private @Nullable CommandSpec command;

  @Option(names = "--json", description = "print the answer as JSON")
  private boolean json;

  boolean isJson() {
    return json;
  }

  /**
   * Prints the answer.
   *
   * @param value a {@code JsonNode}, or what Jackson makes one of
   * @param text the same for people
   */
  void print(Object value, Supplier<String> text) {
    out().println(json ? pretty(value) : text.get());
    out().flush();
  }

  private static String pretty(Object value) {
    try {
      return MAPPER.writerWithDefaultPrettyPrinter().writeValueAsString(value);
    } catch (JsonProcessingException impossible) {
      throw new IllegalStateException("an answer that is no JSON: " + value, impossible);
    }
  }

  private PrintWriter out() {
    if (command == null) {
      throw new IllegalStateException("runs under picocli only");
    }
    return command.commandLine().getOut();
  }
}
