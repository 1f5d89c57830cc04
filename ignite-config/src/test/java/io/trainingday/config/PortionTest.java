package io.trainingday.config;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class PortionTest {
  @ParameterizedTest
  @CsvSource({
    "0%, 1000, 0",
    "25%, 1000, 250",
    "100%, 1001, 1001",
    "33%, 9223372036854775807, 3043712772162076016",
    "4KiB, 1000, 4096",
    "4 KiB, 1000000, 4096",
  })
  void written_isThatMuchOfTheWhole(String text, long whole, long bytes) {
    assertThat(Portion.parse(text).bytesOf(whole)).isEqualTo(bytes);
  }

  @ParameterizedTest
  @CsvSource({"0%", "7%", "99%", "100%", "64GiB", "0B"})
  void shown_isReadBack(String text) {
    assertThat(Portion.parse(text)).hasToString(text);
    assertThat(text).matches(Portion.TEXT);
  }

  @ParameterizedTest
  @CsvSource({"101%", "-1%", "2.5%", "%", "07%"})
  void notAShare_isRefusedWithWhatToWrite(String text) {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> Portion.parse(text))
        .withMessage("write 0% to 100%, without a fraction");
    assertThat(text).doesNotMatch(Portion.TEXT);
  }

  @Test
  void settings_takeAutoAndPortions() {
    Settings settings =
        Settings.builder()
            .read(SettingKey.MEMORY_MAX_SIZE, "auto", "memory.maxSize")
            .readDataset("pets", SettingKey.DATASET_POLICY, "lru", "datasets.pets.policy")
            .readDataset("pets", SettingKey.DATASET_QUOTA, "50%", "datasets.pets.quota")
            .build();

    assertThat(settings.memory().isAuto()).isTrue();
    assertThat(SettingKey.MEMORY_MAX_SIZE.format(settings.memory().maxSize())).isEqualTo("auto");
    assertThat(settings.dataset("pets").policy()).isEqualTo(Settings.Policy.LRU);
    assertThat(settings.dataset("pets").quota()).isEqualTo(Portion.ofPercent(50));
    assertThat(settings.dataset("pets").guaranteed()).isEqualTo(Portion.ofPercent(0));
  }

  @Test
  void nothing_isNotAuto() {
    assertThatIllegalArgumentException().isThrownBy(() -> SettingKey.MEMORY_MAX_SIZE.parse("0B"));
  }
}
