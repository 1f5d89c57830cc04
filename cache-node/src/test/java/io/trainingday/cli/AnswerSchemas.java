package io.trainingday.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.networknt.schema.JsonSchema;
import com.networknt.schema.JsonSchemaFactory;
import com.networknt.schema.SpecVersion.VersionFlag;
import io.trainingday.answer.Output;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentSkipListSet;
import org.junit.jupiter.api.extension.AfterEachCallback;
import org.junit.jupiter.api.extension.BeforeEachCallback;
import org.junit.jupiter.api.extension.ExtensionContext;

/** The schema of each verb's answer; tests hold answers against them. */
public final class AnswerSchemas {
  /** Where a file's name is not the verb's. */
  private static final Map<String, String> SHARED =
      Map.of(
          "publish", "published",
          "invalidate", "published",
          "bench local", "bench-paths",
          "bench peer", "bench-paths",
          "bench disk", "bench-paths");

  private static final Set<String> CHECKED = new ConcurrentSkipListSet<>();

  private AnswerSchemas() {}

  /** The name of the file in {@code schema}, which need not be there. */
  static String file(String verb) {
    return SHARED.getOrDefault(verb, verb.replace(' ', '-')) + ".json";
  }

  /** Fails unless the answer is one that the verb's schema allows. */
  public static JsonNode check(String verb, String answer) {
    try {
      return check(verb, Output.MAPPER.readTree(answer), answer);
    } catch (IOException e) {
      throw new AssertionError("no JSON: " + answer, e);
    }
  }

  /** As the other, with what the verb makes JSON of. */
  public static void check(String verb, Object answer) {
    JsonNode json = Output.MAPPER.valueToTree(answer);
    assertThat(check(verb, json, json.toPrettyString())).isNotNull();
  }

  private static JsonNode check(String verb, JsonNode json, String told) {
    assertThat(json.isMissingNode()).as("an answer of %s", verb).isFalse();
    assertThat(of(verb).validate(json)).as(told).isEmpty();
    CHECKED.add(verb);
    return json;
  }

  private static JsonSchema of(String verb) {
    try (InputStream file = Main.class.getResourceAsStream("schema/" + file(verb))) {
      assertThat(file).as("schema/%s", file(verb)).isNotNull();
      return JsonSchemaFactory.getInstance(VersionFlag.V202012).getSchema(file);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** Holds a test to what it says it checks. */
  static final class Checked implements BeforeEachCallback, AfterEachCallback {
    @Override
    public void beforeEach(ExtensionContext test) {
      CHECKED.clear();
    }

    @Override
    public void afterEach(ExtensionContext test) {
      if (test.getExecutionException().isEmpty()) {
        Map<String, Boolean> checked = new TreeMap<>();
        for (String verb : test.getRequiredTestMethod().getAnnotation(ChecksAnswer.class).value()) {
          checked.put(verb, CHECKED.contains(verb));
        }
        assertThat(checked).as("verbs whose answers were checked").doesNotContainValue(false);
      }
    }
  }
}
