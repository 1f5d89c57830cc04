package io.trainingday.node.reload;

import static org.assertj.core.api.Assertions.assertThat;

import io.trainingday.config.DataSize;
import io.trainingday.config.Portion;
import io.trainingday.config.SettingKey;
import io.trainingday.config.SettingKey.Effect;
import io.trainingday.config.Settings;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.Test;

class SettingsChangeTest {
  private static final Settings BEFORE = Settings.defaults();

  @Test
  void atStart_ofTheSame_isNothing() {
    assertThat(SettingsChange.atStart(BEFORE, Settings.builder().build())).isEmpty();
    assertThat(SettingsChange.datasets(BEFORE, Settings.builder().build())).isEmpty();
  }

  @Test
  void atStart_namesKeysThatARunningNodeCannotTakeOver() {
    Settings after =
        Settings.builder()
            .set(SettingKey.LOG_LEVEL, Settings.LogLevel.DEBUG)
            .set(SettingKey.LANE_MAX_CONNECTIONS, 7)
            .set(SettingKey.MEMORY_MAX_SIZE, DataSize.ofGiB(3))
            .setDataset("pets", SettingKey.DATASET_BACKUPS, 1)
            .build();

    assertThat(SettingsChange.atStart(BEFORE, after))
        .containsExactly("memory.maxSize", "lane.maxConnections");
  }

  /** So that nobody adds one for which nothing takes it over. */
  @Test
  void keysOfTheNode_thatCountAtOnce_areThoseTheWatchTakesOver() {
    assertThat(SettingKey.all().stream().filter(key -> key.effect() != Effect.AT_START))
        .containsExactly(SettingKey.LOG_LEVEL);
  }

  @Test
  void datasets_areThoseThatWereAddedChangedOrTakenOut() {
    Settings one =
        Settings.builder()
            .setDataset("same", SettingKey.DATASET_BACKUPS, 1)
            .setDataset("changed", SettingKey.DATASET_BACKUPS, 1)
            .setDataset("gone", SettingKey.DATASET_BACKUPS, 1)
            .build();
    Settings other =
        Settings.builder()
            .setDataset("same", SettingKey.DATASET_BACKUPS, 1)
            .setDataset("changed", SettingKey.DATASET_BACKUPS, 2)
            .setDataset("added", SettingKey.DATASET_BACKUPS, 0)
            .build();

    assertThat(SettingsChange.datasets(one, other)).containsExactly("added", "changed", "gone");
  }

  @Test
  void ofADataset_changesAreToldByWhenTheyCount() {
    Settings.Dataset after =
        Settings.builder()
            .setDataset("pets", SettingKey.DATASET_BACKUPS, 1)
            .setDataset("pets", SettingKey.DATASET_POLICY, Settings.Policy.LRU)
            .setDataset("pets", SettingKey.DATASET_QUOTA, Portion.ofPercent(50))
            .build()
            .dataset("pets");

    assertThat(SettingsChange.atOnce(BEFORE.dataset("pets"), after))
        .isEqualTo(Map.of("policy", "lru", "quota", "50%"));
    assertThat(SettingsChange.atOnce(after, BEFORE.dataset("pets")))
        .isEqualTo(Map.of("policy", "pin", "quota", "100%"));
    assertThat(SettingsChange.atFirstOpen(after))
        .isEqualTo(
            Map.of("backups", "1", "maxAge", "none", "tier", "memory", "validation", "checksum"));
    assertThat(
            SettingsChange.missing(SettingsChange.atOnce(after), Map.of("policy", "lru")).keySet())
        .isEqualTo(Set.of("guaranteed", "quota"));
  }
}
