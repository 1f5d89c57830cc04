package io.trainingday.config.format;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import io.trainingday.config.SettingKey;
import io.trainingday.config.Settings;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * What is generated from the table of keys is in step with it. After a change of the table: {@code
 * mvn -q test -pl ignite-config -Dtest=ReferencePagesTest -Dregenerate=true}.
 */
class ReferencePagesTest {
  private static final Path RESOURCES = Path.of("src/main/resources");
  private static final Path PAGE = Path.of("README.md");
  private static final String TABLE_START = "<!-- keys: generated -->\n";
  private static final String TABLE_END = "<!-- end of keys -->\n";

  @Test
  void yamlReference_isWhatTheKeysGive() throws Exception {
    assertInStep(RESOURCES.resolve("training-day-reference.yaml"), ReferencePages.yaml());
  }

  @Test
  void xmlReference_isWhatTheKeysGive() throws Exception {
    assertInStep(RESOURCES.resolve("training-day-reference.xml"), ReferencePages.xml());
  }

  @Test
  void schema_isWhatTheKeysGive() throws Exception {
    assertInStep(RESOURCES.resolve("training-day.schema.json"), ReferencePages.schema());
  }

  @Test
  void readme_holdsTheTableTheKeysGive() throws Exception {
    String page = Files.readString(PAGE);
    int start = page.indexOf(TABLE_START) + TABLE_START.length();
    int end = page.indexOf(TABLE_END);
    assertThat(end).isGreaterThanOrEqualTo(start);
    assertInStep(PAGE, page.substring(0, start) + ReferencePages.table() + page.substring(end));
  }

  @ParameterizedTest
  @ValueSource(strings = {"yaml", "xml"})
  void reference_holdsEveryKeyAndLoadsAsTheDefaults(String format) throws Exception {
    String text = SettingsReader.reference(format);
    Stream.concat(SettingKey.all().stream(), SettingKey.ofDataset().stream())
        .forEach(key -> assertThat(text).contains(key.shortName()));
    Path file = Files.createTempFile("reference", "." + format);
    try {
      Files.writeString(file, text);
      assertThat(SettingsReader.read(file)).isEqualTo(Settings.defaults());
    } finally {
      Files.delete(file);
    }
  }

  @Test
  void reference_ofAnotherFormat_isRefused() {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> SettingsReader.reference("toml"))
        .withMessage("format=toml, allowed: yaml or xml");
  }

  private static void assertInStep(Path file, String generated) throws IOException {
    if (Boolean.getBoolean("regenerate")) {
      Files.createDirectories(file.toAbsolutePath().getParent());
      Files.writeString(file, generated);
    }
    assertThat(file).hasContent(generated);
  }
}
