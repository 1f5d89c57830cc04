package io.trainingday.config.format;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import io.trainingday.config.SettingKey;
import io.trainingday.config.Settings;
import io.trainingday.config.SettingsException;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;

class EnvironmentTest {
  @Test
  void name_ofAKey_isItsWordsInUpperCase() {
    assertThat(Environment.name("lane.slots.maxBytesPerConnection"))
        .isEqualTo("TRAINING_DAY_CONFIG_LANE_SLOTS_MAX_BYTES_PER_CONNECTION");
    assertThat(SettingKey.all().stream().map(key -> Environment.name(key.name())))
        .doesNotHaveDuplicates();
  }

  @Test
  void everyKey_inTheEnvironment_isRead() {
    Settings settings =
        read(
            SettingKey.all().stream()
                .filter(key -> key.defaultValue().isPresent())
                .collect(
                    Collectors.toMap(
                        key -> Environment.name(key.name()), EnvironmentTest::defaultText)));
    assertThat(settings).isEqualTo(Settings.defaults());
  }

  private static <T> String defaultText(SettingKey<Settings, T> key) {
    return key.format(key.defaultValue().orElseThrow());
  }

  @Test
  void lists_areWrittenWithCommas_andDatasetsAsYaml() {
    Settings settings =
        read(
            Map.of(
                "TRAINING_DAY_CONFIG_GRID_DISCOVERY_ADDRESSES", "a:1, b:2",
                "TRAINING_DAY_CONFIG_LANE_TCP_ENABLED", "true",
                "TRAINING_DAY_CONFIG_DATASETS", "{imagenet: {validation: none}, mnist: }"));
    assertThat(settings.grid().discovery().addresses()).containsExactly("a:1", "b:2");
    assertThat(settings.dataset("imagenet").validation()).isEqualTo(Settings.Validation.NONE);
    assertThat(settings.datasets()).containsOnlyKeys("imagenet", "mnist");
  }

  @Test
  void settings_writtenAsVariables_areReadAsTheSame() {
    Settings everyKey =
        SettingsReader.read(Path.of("src/test/resources/config/valid/everything.yaml"));
    Settings oddNames =
        Settings.builder()
            .setDataset("a \"b\": {c}", SettingKey.DATASET_BACKUPS, 2)
            .setDataset("größe\\", SettingKey.DATASET_VALIDATION, Settings.Validation.NONE)
            .setDataset("true", SettingKey.DATASET_BACKUPS, 0)
            .build();

    for (Settings settings : List.of(Settings.defaults(), everyKey, oddNames)) {
      assertThat(read(SettingsReader.environment(settings))).isEqualTo(settings);
    }
    assertThat(SettingsReader.environment(Settings.defaults())).isEmpty();
  }

  @Test
  void variables_ofTheClientAndOfKubernetes_areNoSettings() {
    assertThat(
            read(
                Map.of(
                    "TRAINING_DAY_ADDRESS", "unix:/x",
                    "TRAINING_DAY_TOKEN", "secret",
                    "TRAINING_DAY_PORT", "tcp://10.0.0.1:47500",
                    "TRAINING_DAY_PORT_47500_TCP", "tcp://10.0.0.1:47500",
                    "training_day_config_grid_port", "1")))
        .isEqualTo(Settings.defaults());
  }

  @Test
  void problems_nameTheVariableAndTheNearest() {
    assertThatExceptionOfType(SettingsException.class)
        .isThrownBy(
            () ->
                read(
                    Map.of(
                        "TRAINING_DAY_CONFIG_MEMORY_MAXSIZE", "1GiB",
                        "TRAINING_DAY_CONFIG_DATASETS", "{a: {validation: no}",
                        "TRAINING_DAY_CONFIG_DATASETS_A_VALIDATION", "none",
                        "TRAINING_DAY_CONFIG_METRICS_ENABLED", "yes",
                        "TRAINING_DAY_CONFIG_LANE_MAX_CONNECTIONS", "",
                        "TRAINING_DAY_CONFIG_", "")))
        .withMessage(
            """
            settings: 6 problems
              TRAINING_DAY_CONFIG_=, allowed: a known key, or none that begins with \
            TRAINING_DAY_CONFIG_, did you mean TRAINING_DAY_CONFIG_DATASETS?
              TRAINING_DAY_CONFIG_DATASETS={a: {validation: no}, allowed: YAML, while parsing a \
            flow mapping, expected ',' or '}', but got <stream end>
              TRAINING_DAY_CONFIG_DATASETS_A_VALIDATION=none, allowed: a known key, or none that \
            begins with TRAINING_DAY_CONFIG_, did you mean TRAINING_DAY_CONFIG_DATASETS?
              TRAINING_DAY_CONFIG_LANE_MAX_CONNECTIONS=, allowed: a whole number from 1 to 65536
              TRAINING_DAY_CONFIG_MEMORY_MAXSIZE=1GiB, allowed: a known key, or none that begins \
            with TRAINING_DAY_CONFIG_, did you mean TRAINING_DAY_CONFIG_MEMORY_MAX_SIZE?
              TRAINING_DAY_CONFIG_METRICS_ENABLED=yes, allowed: true or false
            """
                .strip());
  }

  @Test
  void datasets_inTheEnvironment_canSetNothingElse() {
    assertThatExceptionOfType(SettingsException.class)
        .isThrownBy(
            () -> read(Map.of("TRAINING_DAY_CONFIG_DATASETS", "{}\nmemory: {maxSize: 1GiB}")));
    assertThatExceptionOfType(SettingsException.class)
        .isThrownBy(() -> read(Map.of("TRAINING_DAY_CONFIG_DATASETS", "")))
        .withMessage(
            "settings: 1 problem\n"
                + "  TRAINING_DAY_CONFIG_DATASETS=, allowed: at least one setting,"
                + " leave it out to take the defaults");
  }

  private static Settings read(Map<String, String> environment) {
    return SettingsReader.ofDefaults().withEnvironment(environment).read();
  }
}
