package io.trainingday.config.format;

import static org.assertj.core.api.Assertions.assertThat;

import io.trainingday.config.SettingKey;
import io.trainingday.config.Settings;
import io.trainingday.config.SettingsException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.Combinators;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;
import net.jqwik.api.lifecycle.AfterContainer;
import net.jqwik.api.lifecycle.BeforeContainer;
import org.jspecify.annotations.Nullable;

/** Whatever a file or the environment says, it is loaded or refused in words. */
class AnyTextTest {
  private static @Nullable Path directory;

  @BeforeContainer
  static void createDirectory() throws IOException {
    directory = Files.createTempDirectory("any-text");
  }

  @AfterContainer
  static void deleteDirectory() throws IOException {
    for (String name : List.of("any.yaml", "any.xml")) {
      Files.deleteIfExists(file(name));
    }
    Files.delete(file(""));
  }

  private static Path file(String name) {
    return assertThat(directory).isNotNull().actual().resolve(name);
  }

  @Property(tries = 1000)
  void anyYaml_isLoadedOrRefused(@ForAll("yaml") String text) throws IOException {
    assertLoadedOrRefused("any.yaml", text);
  }

  @Property(tries = 1000)
  void anyXml_isLoadedOrRefused(@ForAll("xml") String text) throws IOException {
    assertLoadedOrRefused("any.xml", text);
  }

  @Property(tries = 500)
  void anyText_isLoadedOrRefused(@ForAll String text) throws IOException {
    // A lone surrogate has no bytes in UTF-8.
    String written = text.replaceAll("\\p{Cs}", "?");
    assertLoadedOrRefused("any.yaml", written);
    assertLoadedOrRefused("any.xml", written);
  }

  @Property(tries = 1000)
  void anyEnvironmentValue_isLoadedOrRefused(
      @ForAll("variables") String name, @ForAll("scalars") String value) {
    assertWorded(() -> SettingsReader.ofDefaults().withEnvironment(Map.of(name, value)).read());
  }

  private static void assertLoadedOrRefused(String name, String text) throws IOException {
    Path file = file(name);
    Files.writeString(file, text);
    assertWorded(() -> SettingsReader.read(file));
  }

  private interface Read {
    Settings settings();
  }

  private static void assertWorded(Read read) {
    try {
      Settings settings = read.settings();
      settings.validate();
    } catch (SettingsException refused) {
      assertThat(refused.problems())
          .isNotEmpty()
          .allSatisfy(problem -> assertThat(problem.allowed()).isNotBlank());
      assertThat(refused.getMessage()).hasSizeLessThan(100_000);
    }
  }

  @Provide
  Arbitrary<String> yaml() {
    Arbitrary<String> line =
        Combinators.combine(
                Arbitraries.of("", "  ", "    ", "- ", "? ", "\t"),
                words(),
                Arbitraries.of(": ", ":", " ", ": [", ": {", ": |\n", ": &a ", ": *a", ": !!x "),
                scalars())
            .as((indent, key, colon, value) -> indent + key + colon + value);
    return lines(line);
  }

  @Provide
  Arbitrary<String> xml() {
    Arbitrary<String> line =
        Combinators.combine(words(), scalars(), Arbitraries.integers().between(0, 6))
            .as(
                (key, value, form) ->
                    switch (form) {
                      case 0 -> "<" + key + ">" + value;
                      case 1 -> "</" + key + ">";
                      case 2 -> "<" + key + " name=\"" + value + "\"/>";
                      case 3 -> "<" + key + "><item>" + value + "</item></" + key + ">";
                      case 4 -> "<![CDATA[" + value + "]]>";
                      case 5 -> "<dataset name=\"" + value + "\"></dataset>";
                      default -> "<" + key + ">" + value + "</" + key + ">";
                    });
    return lines(line).map(text -> "<training-day>" + text + "</training-day>");
  }

  private static Arbitrary<String> lines(Arbitrary<String> line) {
    return line.list().ofMaxSize(12).map(all -> all.stream().collect(Collectors.joining("\n")));
  }

  private static Arbitrary<String> words() {
    List<String> parts =
        SettingKey.all().stream()
            .flatMap(key -> List.of(key.name().split("\\.", -1)).stream())
            .distinct()
            .toList();
    return Arbitraries.oneOf(
        Arbitraries.of(parts),
        Arbitraries.of("datasets", "dataset", "item", "<<", "validation", "---"),
        Arbitraries.strings().ascii().ofMaxLength(6));
  }

  @Provide
  Arbitrary<String> scalars() {
    return Arbitraries.oneOf(
        Arbitraries.of(
            "2GiB",
            "64g",
            "10s",
            "true",
            "on",
            "0x10",
            "1e999999999",
            "-0",
            "~",
            "none",
            "[a]",
            "{a: b}",
            "\"\\u0000\"",
            "&lt;",
            "&x;",
            "]]>",
            "9999999999999999999999",
            ".nan",
            "2020-01-01",
            "'",
            "|",
            "host:1"),
        Arbitraries.longs().map(String::valueOf),
        Arbitraries.strings().ofMaxLength(20).map(text -> text.replaceAll("\\p{Cs}", "?")));
  }

  @Provide
  Arbitrary<String> variables() {
    return Arbitraries.oneOf(
        Arbitraries.of(SettingKey.all().stream().map(key -> Environment.name(key.name())).toList()),
        Arbitraries.just("TRAINING_DAY_CONFIG_DATASETS"),
        Arbitraries.strings().alpha().map(text -> Environment.PREFIX + text));
  }
}
