package io.trainingday.node.capacity;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.trainingday.config.DataSize;
import io.trainingday.config.SettingKey;
import io.trainingday.config.Settings;
import io.trainingday.config.SettingsException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.OptionalLong;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class MemoryPlanTest {
  private static final long MIB = 1L << 20;
  private static final long GIB = 1L << 30;

  private static final Settings AUTO =
      Settings.defaults().with(SettingKey.MEMORY_MAX_SIZE, Settings.Memory.AUTO);

  private static MemoryPlan.Found found(long limit, long free) {
    return new MemoryPlan.Found(
        limit == 0 ? OptionalLong.empty() : OptionalLong.of(limit), free, GIB, GIB / 2);
  }

  @Test
  void auto_inAContainer_isTheLimitLessAllOthers() {
    Settings resolved = MemoryPlan.resolve(AUTO, found(20 * GIB, 500 * GIB));

    // 20 GiB - 1 heap - 0.5 direct - 1 slots - 128 MiB versions - 128 MiB Ignite - 1 GiB reserve.
    assertThat(resolved.memory().maxSize()).isEqualTo(DataSize.ofBytes(16 * GIB + GIB / 4));
  }

  @Test
  void auto_withoutALimit_isWhatTheHostHasFreeLessAllOthers() {
    Settings resolved = MemoryPlan.resolve(AUTO, found(0, 4 * GIB));

    assertThat(resolved.memory().maxSize())
        .isEqualTo(DataSize.ofMiB(4_096 - 1_024 - 512 - 1_024 - 128 - 128 - 256));
  }

  @Test
  void auto_nothingLeft_saysTheArithmetic() {
    assertThatThrownBy(() -> MemoryPlan.resolve(AUTO, found(2 * GIB, 500 * GIB)))
        .isInstanceOf(SettingsException.class)
        .hasMessageContaining(
            "memory.maxSize=auto, allowed: at least 64MiB left, but the container's limit=2GiB"
                + " - heap=1GiB - direct memory=512MiB - lane.slots.maxBytes=1GiB"
                + " - memory.metaMaxSize=128MiB - Ignite's own regions=128MiB - reserve=256MiB"
                + " = -1GiB, raise the limit, or lower -Xmx, -XX:MaxDirectMemorySize,"
                + " lane.slots.maxBytes or memory.maxSize");
  }

  @Test
  void problem_isToldOfAContainersLimitAlone() {
    assertThat(MemoryPlan.problem(AUTO, found(20 * GIB, 0))).isEmpty();
    assertThat(MemoryPlan.problem(AUTO, found(0, 0))).isEmpty();
    assertThat(MemoryPlan.problem(AUTO, found(2 * GIB, 500 * GIB)))
        .hasValueSatisfying(
            why -> assertThat(why).contains("memory.maxSize=auto", "the container's limit=2GiB"));
  }

  @Test
  void explicitSize_overTheContainersLimit_saysTheArithmetic() {
    Settings large = Settings.defaults().with(SettingKey.MEMORY_MAX_SIZE, DataSize.ofGiB(4));

    assertThatThrownBy(() -> MemoryPlan.resolve(large, found(6 * GIB, 500 * GIB)))
        .isInstanceOf(SettingsException.class)
        .hasMessageContaining("memory.maxSize=4GiB > the container's limit=6GiB - heap=1GiB");
    assertThat(MemoryPlan.resolve(large, found(8 * GIB, 0))).isEqualTo(large);
    assertThat(MemoryPlan.resolve(large, found(0, 0))).as("no limit").isEqualTo(large);
  }

  @Test
  void auto_tooLittleForTheOtherSettings_isRefusedAsASizeWouldBe() {
    Settings manyPartitions = AUTO.with(SettingKey.GRID_PARTITIONS, 32_768);

    assertThatThrownBy(() -> MemoryPlan.resolve(manyPartitions, found(6 * GIB, 0)))
        .isInstanceOf(SettingsException.class)
        .hasMessageContaining("grid.partitions=32768 > memory.maxSize/2/96KiB=");
  }

  @Test
  void softCap_followsWhatIsAvailable_andNeverTakesBackWhatIsUsed(@TempDir Path root)
      throws IOException {
    Path meminfo = Files.createDirectories(root.resolve("proc")).resolve("meminfo");
    AtomicLong used = new AtomicLong(1_000);
    SoftCap cap =
        new SoftCap(new HostLimits(root), OptionalLong.empty(), 2 * GIB, 16 << 10, used::get);
    assertThat(cap.pages()).as("nobody says").isEqualTo(Long.MAX_VALUE);

    // The reserve is 64 MiB.
    Files.writeString(
        meminfo, "MemTotal: 2097152 kB\nMemAvailable:   %d kB\n".formatted(164 << 10));
    assertThat(cap.pages()).isEqualTo(1_000 + 100 * MIB / (16 << 10));
    Files.writeString(meminfo, "MemAvailable:   %d kB\n".formatted(32 << 10));
    used.set(5_000);
    assertThat(cap.pages()).isEqualTo(5_000);
    used.set(4_000);
    assertThat(cap.pages()).as("what was used stays Ignite's").isEqualTo(5_000);

    Files.writeString(meminfo, "MemAvailable:   %d kB\n".formatted(1 << 20));
    Path pressure = Files.createDirectories(root.resolve("proc/pressure")).resolve("memory");
    Files.writeString(pressure, "some avg10=35.20 avg60=1.00 avg300=0.00 total=1\nfull avg10=0\n");
    assertThat(cap.pages()).as("programs wait").isEqualTo(5_000);
  }

  @Test
  void softCap_inAContainer_followsItsLimit(@TempDir Path root) throws IOException {
    Files.writeString(
        Files.createDirectories(root.resolve("proc")).resolve("meminfo"),
        "MemAvailable: 104857600 kB\n");
    Path group = Files.createDirectories(root.resolve("sys/fs/cgroup"));
    Files.writeString(group.resolve("memory.current"), Long.toString(900 * MIB));
    Files.writeString(group.resolve("memory.stat"), "anon 5\ninactive_file " + 40 * MIB + "\n");
    SoftCap cap =
        new SoftCap(new HostLimits(root), OptionalLong.of(GIB), 200 * GIB, 16 << 10, () -> 10);

    assertThat(cap.pages()).isEqualTo(10 + (1_024 - 900 + 40 - 64) * MIB / (16 << 10));
  }
}
