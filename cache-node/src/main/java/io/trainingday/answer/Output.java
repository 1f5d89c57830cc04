package io.trainingday.answer;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectWriter;
import com.fasterxml.jackson.databind.json.JsonMapper;
import java.io.PrintWriter;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/**
 * What a verb answers: text for people or, with {@code --json}, JSON that keeps to the verb's file
 * in {@code io/trainingday/cli/schema}. Mixed into every verb that answers. Errors, questions and
 * progress go to standard error either way.
 */
public final class Output {
  /** Reads and writes JSON. */
  public static final JsonMapper MAPPER = new JsonMapper();

  @Spec(Spec.Target.MIXEE)
  private @Nullable CommandSpec command;

  @Option(names = "--json", description = "print the answer as JSON")
  private boolean json;

  /** Made by picocli. */
  public Output() {}

  /** Whether a program is to read the answer. */
  public boolean isJson() {
    return json;
  }

  /**
   * Prints the answer, as JSON over several lines.
   *
   * @param value a {@code JsonNode}, or what Jackson makes one of
   * @param text the same for people
   */
  public void print(Object value, Supplier<String> text) {
    println(json ? write(MAPPER.writerWithDefaultPrettyPrinter(), value) : text.get());
  }

  /** As {@link #print}, as one line of JSON: for a verb that goes on, and may answer again. */
  public void printLine(Object value, Supplier<String> text) {
    println(json ? write(MAPPER.writer(), value) : text.get());
  }

  /** Prints what is for people alone, nothing where a program reads. */
  public void tell(String text) {
    if (!json) {
      println(text);
    }
  }

  private void println(String text) {
    if (command == null) {
      throw new IllegalStateException("runs under picocli only");
    }
    PrintWriter out = command.commandLine().getOut();
    out.println(text.stripTrailing());
    out.flush();
  }

  private static String write(ObjectWriter writer, Object value) {
    try {
      return writer.writeValueAsString(value);
    } catch (JsonProcessingException impossible) {
      throw new IllegalStateException("an answer that is no JSON: " + value, impossible);
    }
  }
}
