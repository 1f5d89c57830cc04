package io.trainingday.config.format;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import io.trainingday.config.DataSize;
import io.trainingday.config.SettingKey;
import io.trainingday.config.Settings;
import io.trainingday.config.SettingsException;
import io.trainingday.config.SettingsException.Problem;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** What every file format must do; the files lie in {@code src/test/resources/config}. */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
abstract class FormatKit {
  private static final Path FILES = Path.of("src/test/resources/config");

  /** The end of the format's file names. */
  abstract String extension();

  /** A file of this format that sets {@code memory.maxSize}. */
  abstract String memoryMaxSize(String text);

  private Path valid(String name) {
    return FILES.resolve("valid/" + name + "." + extension());
  }

  @Test
  void everyKey_offItsDefault_isRead() {
    Settings expected =
        Settings.builder()
            .set(SettingKey.GRID_NAME, "my-grid")
            .set(SettingKey.GRID_HOST_ID, "host-7")
            .set(SettingKey.GRID_ZONE, "rack-3")
            .set(SettingKey.GRID_LOCAL_ADDRESS, "10.1.2.3")
            .set(SettingKey.GRID_PORT, 48_500)
            .set(SettingKey.GRID_COMMUNICATION_PORT, 48_100)
            .set(SettingKey.GRID_DISCOVERY_ADDRESSES, List.of("10.0.0.1:47500", "[fe80::1]:47500"))
            .set(SettingKey.GRID_DISCOVERY_SETTLE_TIME, Duration.ofSeconds(4))
            .set(SettingKey.GRID_PARTITIONS, 2048)
            .set(SettingKey.GRID_FAILURE_DETECTION_TIMEOUT, Duration.ofSeconds(20))
            .set(SettingKey.GRID_TLS_CERTIFICATE, Path.of("/etc/training-day/grid.pem"))
            .set(SettingKey.GRID_TLS_KEY, Path.of("/etc/training-day/grid.key"))
            .set(SettingKey.GRID_TLS_TRUST, Path.of("/etc/training-day/grid-ca.pem"))
            .set(SettingKey.GRID_IGNITE_XML, Path.of("/etc/training-day/ignite.xml"))
            .set(SettingKey.MEMORY_MAX_SIZE, DataSize.ofGiB(64))
            .set(SettingKey.MEMORY_META_MAX_SIZE, DataSize.ofMiB(256))
            .set(SettingKey.MEMORY_HEADROOM, DataSize.ofGiB(2))
            .set(SettingKey.DISK_PATH, Path.of("/var/lib/training-day"))
            .set(SettingKey.DISK_MAX_SIZE, DataSize.ofGiB(500))
            .set(SettingKey.LANE_SOCKET, Path.of("/run/other/lane.sock"))
            .set(SettingKey.LANE_SEGMENT_DIRECTORY, Path.of("/mnt/shm"))
            .set(SettingKey.LANE_TENANTS, List.of("default:10002", "team-a:10003", "team-b"))
            .set(SettingKey.LANE_TENANT_ADMIN, true)
            .set(SettingKey.LANE_READER, Settings.Reader.PUBLIC)
            .set(SettingKey.LANE_MAX_CONNECTIONS, 10)
            .set(SettingKey.LANE_MAX_REQUESTS_IN_FLIGHT, 4)
            .set(SettingKey.LANE_MAX_FRAME_SIZE, DataSize.ofMiB(64))
            .set(SettingKey.LANE_MAX_RECORD_SIZE, DataSize.ofMiB(16))
            .set(SettingKey.LANE_ANSWER_TIMEOUT, Duration.ofMillis(1500))
            .set(SettingKey.LANE_SLOTS_MAX_BYTES, DataSize.ofGiB(4))
            .set(SettingKey.LANE_SLOTS_MAX_BYTES_PER_CONNECTION, DataSize.ofGiB(1))
            .set(SettingKey.LANE_SLOTS_WRITE, Settings.SlotWrite.COPIED)
            .set(SettingKey.LANE_TCP_ENABLED, true)
            .set(SettingKey.LANE_TCP_ADDRESS, "10.1.2.4")
            .set(SettingKey.LANE_TCP_PORT, 9000)
            .set(SettingKey.LANE_TLS_ENABLED, true)
            .set(SettingKey.LANE_TLS_CERTIFICATE, Path.of("/etc/training-day/node.pem"))
            .set(SettingKey.LANE_TLS_KEY, Path.of("/etc/training-day/node.key"))
            .set(SettingKey.LANE_TLS_TRUST, Path.of("/etc/training-day/ca.pem"))
            .set(SettingKey.LANE_TLS_CLIENT_CERTIFICATES, true)
            .set(SettingKey.LANE_TOKENS_FILE, Path.of("/etc/training-day/tokens"))
            .set(SettingKey.FILL_MAX_IN_FLIGHT, DataSize.ofMiB(128))
            .set(SettingKey.FILL_LEASE_TIMEOUT, Duration.ofMinutes(1))
            .set(SettingKey.FILL_WRITERS, 8)
            .set(SettingKey.REBALANCE_MAX_RATE, DataSize.ofGiB(1))
            .set(SettingKey.VERSIONS_SERVING_LEASE, Duration.ofSeconds(3))
            .set(SettingKey.VERSIONS_SMALL_GRIDS, Settings.SmallGrids.STOP)
            .set(SettingKey.RECOVERY_WAIT, Duration.ofMinutes(5))
            .set(SettingKey.STOP_HAND_OVER, Duration.ofSeconds(40))
            .set(SettingKey.METRICS_ENABLED, false)
            .set(SettingKey.METRICS_ADDRESS, "0.0.0.0")
            .set(SettingKey.METRICS_PORT, 0)
            .set(SettingKey.LOG_LEVEL, Settings.LogLevel.DEBUG)
            .setDataset("imagenet", SettingKey.DATASET_VALIDATION, Settings.Validation.NONE)
            .setDataset("imagenet", SettingKey.DATASET_MAX_AGE, Duration.ofHours(12))
            .setDataset("imagenet", SettingKey.DATASET_BACKUPS, 1)
            .setDataset("imagenet", SettingKey.DATASET_TIER, Settings.Tier.HYBRID)
            .setDataset("a b/c.d", SettingKey.DATASET_VALIDATION, Settings.Validation.CHECKSUM)
            .build();
    Settings read = SettingsReader.read(valid("everything"));
    assertThat(read).isEqualTo(expected);
    assertThat(SettingKey.all()).allSatisfy(key -> assertThat(isOffDefault(key, read)).isTrue());
  }

  private static <T> boolean isOffDefault(SettingKey<Settings, T> key, Settings settings) {
    // Both ways of discovery exclude each other, so one of them stays at its default.
    return key.equals(SettingKey.GRID_DISCOVERY_DNS_NAME)
        || !key.in(settings).equals(key.defaultValue());
  }

  @Test
  void emptySections_areTheDefaults() {
    assertThat(SettingsReader.read(valid("empty-sections"))).isEqualTo(Settings.defaults());
  }

  @Test
  void dataset_withNothingSet_hasTheDefaults() {
    assertThat(SettingsReader.read(valid("dataset-with-defaults")).datasets())
        .isEqualTo(Map.of("mnist", Settings.defaults().dataset("mnist")));
  }

  @Test
  void list_ofOneAndOfNone_isAList() {
    assertThat(SettingsReader.read(valid("one-address")).grid().discovery().addresses())
        .containsExactly("host-1:47500");
    assertThat(SettingsReader.read(valid("no-address"))).isEqualTo(Settings.defaults());
  }

  Stream<Path> invalidFiles() throws IOException {
    try (Stream<Path> files = Files.list(FILES.resolve("invalid"))) {
      return files
          .filter(file -> file.toString().endsWith("." + extension()))
          .sorted()
          .toList()
          .stream();
    }
  }

  /** With {@code -Dregenerate=true} the texts are written; read them before they are committed. */
  @ParameterizedTest
  @MethodSource("invalidFiles")
  void invalidFile_isRefusedWithAllItsProblems(Path file) throws IOException {
    Path expected = Path.of(file + ".txt");
    assertThatExceptionOfType(SettingsException.class)
        .isThrownBy(() -> SettingsReader.read(file))
        .satisfies(
            refused -> {
              String text =
                  refused.problems().stream()
                      .map(problem -> problem + "\n")
                      .collect(Collectors.joining());
              if (Boolean.getBoolean("regenerate")) {
                Files.writeString(expected, text);
              }
              assertThat(text).isEqualTo(Files.readString(expected));
              assertThat(refused).hasMessageStartingWith(file + ": ");
            });
  }

  @Test
  void bothFormats_haveTheSameCases() throws IOException {
    try (Stream<Path> files = Files.walk(FILES)) {
      List<Path> missing =
          files
              .filter(file -> file.toString().matches(".*\\.(yaml|xml)"))
              .filter(file -> !file.getFileName().toString().matches("(yaml|xml)-.*"))
              .map(file -> Path.of(file.toString().replaceFirst("(yaml|xml)$", extension())))
              .filter(file -> !Files.exists(file))
              .toList();
      assertThat(missing).isEmpty();
    }
  }

  @Test
  void environment_goesOverTheFile_andCodeOverBoth(@TempDir Path temp) throws IOException {
    Path file = write(temp, memoryMaxSize("4GiB"));
    Map<String, String> environment =
        Map.of("TRAINING_DAY_CONFIG_MEMORY_MAX_SIZE", "8GiB", "PATH", "/bin");
    assertThat(Settings.defaults().memory().maxSize()).isEqualTo(DataSize.ofGiB(2));
    assertThat(SettingsReader.read(file).memory().maxSize()).isEqualTo(DataSize.ofGiB(4));
    assertThat(SettingsReader.ofFile(file).withEnvironment(environment).read().memory().maxSize())
        .isEqualTo(DataSize.ofGiB(8));
    assertThat(
            SettingsReader.ofFile(file)
                .withEnvironment(environment)
                .with(SettingKey.MEMORY_MAX_SIZE, DataSize.ofGiB(16))
                .read()
                .memory()
                .maxSize())
        .isEqualTo(DataSize.ofGiB(16));
  }

  @Test
  void problems_ofFileAndEnvironment_areToldTogether(@TempDir Path temp) throws IOException {
    Path file = write(temp, memoryMaxSize("4G"));
    assertThatExceptionOfType(SettingsException.class)
        .isThrownBy(
            () ->
                SettingsReader.ofFile(file)
                    .withEnvironment(Map.of("TRAINING_DAY_CONFIG_GRID_PORT", "x"))
                    .read())
        .withMessage(
            file
                + ": 2 problems\n"
                + "  memory.maxSize=4G, allowed: auto, or a size such as 64MiB, from 64MiB to 64TiB,"
                + " write 4GiB\n"
                + "  TRAINING_DAY_CONFIG_GRID_PORT=x, allowed: a whole number from 1024 to 65535");
  }

  @Test
  void file_notUtf8_isRefused(@TempDir Path temp) throws IOException {
    Path latin = temp.resolve("latin." + extension());
    Files.write(latin, memoryMaxSize("4G\u00e9").getBytes(StandardCharsets.ISO_8859_1));
    assertRefused(latin, new Problem("file", latin.toString(), "text in UTF-8", ""));
  }

  @Test
  void file_tooLarge_isRefusedUnread(@TempDir Path temp) throws IOException {
    Path large = write(temp, memoryMaxSize("4GiB"));
    try (var channel = FileChannel.open(large, StandardOpenOption.WRITE)) {
      channel.write(ByteBuffer.wrap(new byte[] {'\n'}), 100L << 20);
    }
    assertRefused(large, new Problem("file", large.toString(), "at most 262144 bytes", ""));
  }

  @Test
  void file_absent_isRefused(@TempDir Path temp) {
    Path absent = temp.resolve("absent." + extension());
    assertRefused(absent, new Problem("file", absent.toString(), "a file", "there is none"));
  }

  @Test
  void file_ofManyProblems_showsAHundred(@TempDir Path temp) throws IOException {
    StringBuilder text = new StringBuilder();
    for (int i = 0; i < 2000; i++) {
      text.append(unknownKey("key" + i));
    }
    Path file = write(temp, whole(text.toString()));
    assertThatExceptionOfType(SettingsException.class)
        .isThrownBy(() -> SettingsReader.read(file))
        .satisfies(refused -> assertThat(refused.problems()).hasSize(2000))
        .withMessageEndingWith("\n  and 1900 more");
  }

  /** A line that sets a key of the top level. */
  abstract String unknownKey(String name);

  /** A file of such lines. */
  abstract String whole(String lines);

  private static void assertRefused(Path file, Problem problem) {
    assertThatExceptionOfType(SettingsException.class)
        .isThrownBy(() -> SettingsReader.read(file))
        .satisfies(refused -> assertThat(refused.problems()).containsExactly(problem));
  }

  private Path write(Path directory, String text) throws IOException {
    return Files.writeString(directory.resolve("settings." + extension()), text);
  }
}
