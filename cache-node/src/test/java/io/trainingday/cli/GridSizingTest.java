package io.trainingday.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.trainingday.config.DataSize;
import io.trainingday.config.SettingKey;
import io.trainingday.config.Settings;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

final class GridSizingTest {
  private static final DataSize MACHINE = DataSize.ofGiB(20);

  private static Settings fit(int nodes, int jobs, @Nullable String memory) {
    return new GridSizing(nodes, jobs, Optional.of(MACHINE))
        .fit(Settings.defaults(), memory == null ? null : DataSize.parse(memory));
  }

  @ParameterizedTest
  @CsvSource({"1, 2GiB", "3, 2GiB", "8, 1920MiB", "16, 768MiB"})
  void memory_notAsked_isTheSettingsOrWhatFits(int nodes, String memory) {
    assertThat(fit(nodes, 0, null).memory().maxSize()).isEqualTo(DataSize.parse(memory));
  }

  @Test
  void memory_ofJobs_isLeftToThem() {
    assertThat(fit(8, 4, null).memory().maxSize()).isEqualTo(DataSize.ofMiB(1_152));
  }

  @ParameterizedTest
  @CsvSource({"1, 512m", "4, 512m", "5, 384m", "16, 256m"})
  void heap_isTheSmallerTheMoreNodesThereAre(int nodes, String heap) {
    assertThat(new GridSizing(nodes, 0, Optional.of(MACHINE)).jvmOptions())
        .contains("-Xmx" + heap, "-XX:MaxDirectMemorySize=" + heap);
  }

  @Test
  void limitsNobodySet_followTheMemory() {
    Settings small = fit(16, 0, "64MiB");
    assertThat(small.lane().maxRecordSize()).isEqualTo(DataSize.ofMiB(8));
    assertThat(small.fill().maxInFlight()).isEqualTo(DataSize.ofMiB(64));
    assertThat(small.grid().partitions()).isEqualTo(64);

    Settings large = fit(1, 0, "4GiB");
    assertThat(large.lane().maxRecordSize()).isEqualTo(DataSize.ofMiB(64));
    assertThat(large.grid().partitions()).isEqualTo(256);
  }

  @Test
  void limitsSomebodySet_stay() {
    Settings set =
        Settings.builder()
            .set(SettingKey.GRID_PARTITIONS, 512)
            .set(SettingKey.LANE_MAX_RECORD_SIZE, DataSize.ofMiB(32))
            .build();

    Settings fitting = new GridSizing(1, 0, Optional.empty()).fit(set, DataSize.ofMiB(512));

    assertThat(fitting.grid().partitions()).isEqualTo(512);
    assertThat(fitting.lane().maxRecordSize()).isEqualTo(DataSize.ofMiB(32));
  }

  @Test
  void memory_thatTheMachineHasNot_isRefusedWithTheArithmetic() {
    assertThatThrownBy(() -> fit(16, 2, "4GiB"))
        .hasMessage(
            "--nodes=16 with --memory=4GiB and 512MiB beside it each and --run=2 with 1536MiB each"
                + " need 75GiB > available=20GiB, take fewer nodes or less memory");
  }
}
