package io.trainingday.config;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.trainingday.config.SettingsException.Problem;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class SettingsTest {
  @Test
  void defaults_areValid() {
    Settings settings = Settings.defaults();
    settings.validate();
    assertThat(settings.memory().maxSize()).isEqualTo(DataSize.ofGiB(2));
    assertThat(settings.memory().resolvedHeadroom()).isEqualTo(DataSize.ofMiB(64));
    assertThat(settings.lane().answerTimeout()).isEqualTo(Duration.ofSeconds(2));
    assertThat(settings.dataset("any").validation()).isEqualTo(Settings.Validation.CHECKSUM);
  }

  @Test
  void toBuilder_ofAnySettings_buildsEqualOnes() {
    Settings settings =
        Settings.builder()
            .set(SettingKey.GRID_HOST_ID, "host-1")
            .set(SettingKey.GRID_DISCOVERY_ADDRESSES, List.of("10.0.0.1:47500", "[::1]:1"))
            .set(SettingKey.LANE_READER, Settings.Reader.PUBLIC)
            .set(SettingKey.LANE_TCP_ENABLED, true)
            .setDataset("a/b c", SettingKey.DATASET_VALIDATION, Settings.Validation.NONE)
            .build();
    assertThat(settings.toBuilder().build()).isEqualTo(settings);
    assertThat(settings.dataset("a/b c").validation()).isEqualTo(Settings.Validation.NONE);
  }

  @Test
  void everyKey_reads_whatItWrites() {
    SettingKey.all().forEach(SettingsTest::assertReadsItsDefault);
    SettingKey.ofDataset().forEach(SettingsTest::assertReadsItsDefault);
  }

  private static <T> void assertReadsItsDefault(SettingKey<?, T> key) {
    key.defaultValue()
        .ifPresent(value -> assertThat(key.parse(key.format(value))).isEqualTo(value));
  }

  @Test
  void set_outOfRange_namesWhatIsAllowed() {
    assertRefused(
        () -> Settings.defaults().with(SettingKey.MEMORY_MAX_SIZE, DataSize.ofMiB(1)),
        "memory.maxSize=1MiB, allowed: auto, or a size such as 64MiB, from 64MiB to 64TiB");
  }

  @Test
  void set_twice_namesBothValues() {
    assertRefused(
        () ->
            Settings.builder().set(SettingKey.GRID_PORT, 48_000).set(SettingKey.GRID_PORT, 48_001),
        "grid.port=48001, allowed: set once, it is set to 48000");
  }

  @Test
  void tenants_namedTwiceOrOverTcpWithoutTokens_areRefused() {
    Settings.Builder tenants =
        Settings.builder()
            .set(SettingKey.LANE_TCP_ENABLED, true)
            .set(SettingKey.LANE_TENANTS, List.of("default:7", "a:8", "a"));
    assertRefused(
        tenants::build,
        "lane.tenants=a, allowed: named once, leave one of them out",
        "lane.tokensFile=unset, allowed: a path, where lane.tenants are others than default,"
            + " set it, for without tokens whoever comes by TCP is the tenant default and may do"
            + " all; or set lane.tcp.enabled to false");
    Settings alone =
        Settings.builder()
            .set(SettingKey.LANE_TCP_ENABLED, true)
            .set(SettingKey.LANE_TENANTS, List.of("default:7"))
            .build();
    assertThat(alone.lane().tenantList())
        .containsExactly(new Settings.Tenant("default", Optional.of("7")));
    assertRefused(
        () -> Settings.defaults().with(SettingKey.LANE_TENANTS, List.of("../a")),
        "lane.tenants=../a, allowed: a list of at most 256 NAME or NAME:GROUP, a name of 1 to 63"
            + " letters, digits, '.', '_' or '-'");
  }

  @Test
  void set_twoWaysOfDiscovery_namesBoth() {
    assertRefused(
        () ->
            Settings.builder()
                .set(SettingKey.GRID_DISCOVERY_ADDRESSES, List.of("a:1"))
                .set(SettingKey.GRID_DISCOVERY_DNS_NAME, "grid.example"),
        "grid.discovery.dnsName=grid.example, allowed: unset beside"
            + " grid.discovery.addresses=a:1, set one of both");
  }

  @Test
  void records_largerThanASixteenthOfTheDiskTier_areRefused_whereThereIsOne() {
    Settings.Builder small = Settings.builder().set(SettingKey.DISK_MAX_SIZE, DataSize.ofMiB(64));
    assertThat(small.build().disk().path()).isEmpty();
    small.set(SettingKey.DISK_PATH, Path.of("/disk"));
    assertRefused(
        small::build,
        "lane.maxRecordSize=64MiB > disk.maxSize/16=4MiB, lower lane.maxRecordSize or raise"
            + " disk.maxSize");
  }

  @Test
  void build_contradictions_namesAll() {
    assertRefused(
        () ->
            Settings.builder()
                .set(SettingKey.MEMORY_MAX_SIZE, DataSize.ofMiB(64))
                .set(SettingKey.MEMORY_HEADROOM, DataSize.ofMiB(40))
                .set(SettingKey.GRID_PARTITIONS, 2048)
                .set(SettingKey.GRID_PORT, 9464)
                .set(SettingKey.GRID_COMMUNICATION_PORT, 9464)
                .set(SettingKey.LANE_MAX_FRAME_SIZE, DataSize.ofMiB(32))
                .set(SettingKey.FILL_MAX_IN_FLIGHT, DataSize.ofMiB(16))
                .set(SettingKey.LANE_SLOTS_MAX_BYTES, DataSize.ofMiB(8))
                .set(SettingKey.LANE_ANSWER_TIMEOUT, Duration.ofSeconds(10))
                .build(),
        "grid.communicationPort=9464 = grid.port=9464, give each its own port",
        "metrics.port=9464 = grid.port=9464, give each its own port",
        "metrics.port=9464 = grid.communicationPort=9464, give each its own port",
        "grid.partitions=2048 > memory.maxSize/2/96KiB=341,"
            + " lower grid.partitions or raise memory.maxSize",
        "memory.headroom=40MiB > memory.maxSize/2=32MiB,"
            + " lower memory.headroom or raise memory.maxSize",
        "lane.maxRecordSize=64MiB > memory.maxSize/8=8MiB,"
            + " lower lane.maxRecordSize or raise memory.maxSize",
        "lane.maxRecordSize=64MiB > fill.maxInFlight=16MiB,"
            + " lower lane.maxRecordSize or raise fill.maxInFlight",
        "lane.maxRecordSize=64MiB > lane.maxFrameSize-512KiB=32256KiB,"
            + " lower lane.maxRecordSize or raise lane.maxFrameSize",
        "lane.slots.maxBytesPerConnection=512MiB > lane.slots.maxBytes=8MiB,"
            + " lower lane.slots.maxBytesPerConnection or raise lane.slots.maxBytes",
        "lane.answerTimeout=10s, allowed: less than fill.leaseTimeout=10s,"
            + " lower lane.answerTimeout or raise fill.leaseTimeout");
  }

  @Test
  void metricsPort_whenMetricsAreOff_mayBeAnyOther() {
    Settings off =
        Settings.builder()
            .set(SettingKey.METRICS_ENABLED, false)
            .set(SettingKey.METRICS_PORT, 47_500)
            .build();
    assertThat(off.metrics().port()).isEqualTo(off.grid().port());
  }

  /** A segment is one mapping, which cannot be larger. */
  @Test
  void read_connectionTakesMoreThanOneMapping_isRefused() {
    assertRefused(
        () ->
            Settings.builder()
                .read(
                    SettingKey.LANE_SLOTS_MAX_BYTES_PER_CONNECTION,
                    "8GiB",
                    "lane.slots.maxBytesPerConnection")
                .build(),
        "lane.slots.maxBytesPerConnection=8GiB, allowed: a size such as 64MiB, from 1MiB to 2GiB");
  }

  @Test
  void read_wrongText_isToldAtBuildWithAllTheRest() {
    assertRefused(
        () ->
            Settings.builder()
                .read(SettingKey.MEMORY_MAX_SIZE, "64g", "memory.maxSize")
                .read(SettingKey.GRID_PARTITIONS, "1000", "grid.partitions")
                .read(SettingKey.LANE_SLOTS_MAX_BYTES, "1MiB", "lane.slots.maxBytes")
                .build(),
        "memory.maxSize=64g, allowed: auto, or a size such as 64MiB, from 64MiB to 64TiB, write"
            + " 64GiB",
        "grid.partitions=1000, allowed: a power of two from 32 to 32768",
        "lane.slots.maxBytesPerConnection=512MiB > lane.slots.maxBytes=1MiB,"
            + " lower lane.slots.maxBytesPerConnection or raise lane.slots.maxBytes");
  }

  @Test
  void validate_recordsMadeByHand_areChecked() {
    Settings good = Settings.defaults();
    Settings bad =
        new Settings(
            good.grid(),
            good.memory(),
            good.disk(),
            good.lane(),
            new Settings.Fill(DataSize.ofMiB(256), Duration.ofSeconds(10), 0),
            good.rebalance(),
            good.versions(),
            good.recovery(),
            good.stop(),
            good.metrics(),
            good.log(),
            Map.of());
    assertRefused(bad::validate, "fill.writers=0, allowed: a whole number from 1 to 64");
  }

  @Test
  void nearest_unknownKey_isTheLikeliest() {
    assertThat(SettingKey.nearest("memory.maxSzie")).isEqualTo("memory.maxSize");
    assertThat(SettingKey.nearest("MEMORY.MAXSIZE")).isEqualTo("memory.maxSize");
    assertThat(SettingKey.nearest("datasets.mnist.valdation"))
        .isEqualTo("datasets.mnist.validation");
    assertThat(SettingKey.nearest("memroy")).isEqualTo("memory");
    assertThat(SettingKey.nearest("dataset")).isEqualTo("datasets");
    assertThat(SettingKey.nearest("lane.slot")).isEqualTo("lane.slots");
    assertThat(SettingKey.nearest("")).isNotEmpty();
    assertThat(SettingKey.nearest("x".repeat(1_000_000))).isNotEmpty();
  }

  @Test
  void socket_unset_followsTheRunDirectory(@TempDir Path run) throws Exception {
    Object uid = Files.getAttribute(Path.of("/proc/self"), "unix:uid");
    assertThat(Settings.Lane.defaultSocket(run)).isEqualTo(run.resolve("lane.sock"));
    assertThat(Settings.Lane.defaultSocket(run.resolve("absent")))
        .isEqualTo(Path.of("/tmp/training-day-" + uid + "/lane.sock"));
    Path own = Path.of("/x/y.sock");
    assertThat(Settings.defaults().with(SettingKey.LANE_SOCKET, own).lane().resolvedSocket())
        .isEqualTo(own);
  }

  @Test
  void hostId_unset_isTheHostName() throws Exception {
    String name = Files.readString(Path.of("/proc/sys/kernel/hostname")).strip();
    assertThat(Settings.defaults().grid().resolvedHostId()).isEqualTo(name);
  }

  private static void assertRefused(ThrowingCallable action, String... problems) {
    assertThatExceptionOfType(SettingsException.class)
        .isThrownBy(action)
        .satisfies(
            refused ->
                assertThat(refused.problems())
                    .extracting(Problem::toString)
                    .containsExactly(problems));
  }

  @Test
  void gridTls_notAllThree_isRefusedNamingThoseThatLack() {
    assertThatThrownBy(
            () -> Settings.builder().set(SettingKey.GRID_TLS_KEY, Path.of("/etc/grid.key")).build())
        .isInstanceOf(SettingsException.class)
        .hasMessageContaining(
            "grid.tls.certificate=unset, allowed: "
                + SettingKey.GRID_TLS_CERTIFICATE.allowed()
                + ", set it, or none of grid.tls.certificate, grid.tls.key and grid.tls.trust")
        .hasMessageContaining("grid.tls.trust=unset")
        .message()
        .doesNotContain("grid.tls.key=");
  }
}
