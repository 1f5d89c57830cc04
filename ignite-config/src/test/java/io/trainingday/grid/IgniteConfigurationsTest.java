package io.trainingday.grid;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.tuple;

import io.trainingday.config.DataSize;
import io.trainingday.config.SettingKey;
import io.trainingday.config.Settings;
import io.trainingday.config.SettingsException;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.apache.ignite.Ignite;
import org.apache.ignite.IgniteCache;
import org.apache.ignite.IgniteException;
import org.apache.ignite.Ignition;
import org.apache.ignite.cache.CacheAtomicityMode;
import org.apache.ignite.cache.CacheMode;
import org.apache.ignite.cache.CachePeekMode;
import org.apache.ignite.configuration.DataRegionConfiguration;
import org.apache.ignite.configuration.IgniteConfiguration;
import org.apache.ignite.failure.FailureContext;
import org.apache.ignite.failure.FailureType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class IgniteConfigurationsTest {
  private static final Set<Integer> GIVEN_PORTS = new TreeSet<>();

  private final Heard heard = new Heard();
  private final Path temp;

  IgniteConfigurationsTest(@TempDir Path temp) {
    this.temp = temp;
  }

  private IgniteConfiguration create(Settings settings) {
    return IgniteConfigurations.create(settings, heard, Optional.empty());
  }

  @Test
  void node_ofSmallSettings_keepsSamplesAndOpensItsTwoPortsAlone() throws Exception {
    Settings settings = small().build();
    Set<Integer> before = listeningPorts();
    IgniteConfiguration configuration = create(settings);
    Path workDirectory = Path.of(configuration.getWorkDirectory());
    assertThat(workDirectory).isDirectory();

    try (Ignite ignite = Ignition.start(configuration)) {
      IgniteCache<SampleKey, byte[]> samples = ignite.cache(GridCaches.samples(0));
      SampleKey key = new SampleKey(1, 2, 3, 4, 0, 5);
      samples.put(key, new byte[100_000]);
      assertThat(samples.localPeek(key, CachePeekMode.PRIMARY)).hasSize(100_000);
      assertThat(ignite.affinity(GridCaches.samples(0)).partitions())
          .isEqualTo(settings.grid().partitions());
      assertThat(ignite.affinity(GridCaches.samples(0)).partition(key))
          .isEqualTo(
              ignite.affinity(GridCaches.samples(0)).partition(new SampleKey(9, 9, 9, 9, 9, 5)));

      IgniteCache<String, String> versions = ignite.cache(GridCaches.VERSIONS);
      versions.put("a", "b");
      assertThat(versions.get("a")).isEqualTo("b");
      Set<Integer> opened = listeningPorts();
      opened.removeAll(before);
      assertThat(opened)
          .containsExactlyInAnyOrder(settings.grid().port(), settings.grid().communicationPort());
      assertThat(ignite.cluster().localNode().<String>attribute(NodeAttributes.HOST_ID))
          .isEqualTo(settings.grid().resolvedHostId());
    }
    assertThat(heard.events).containsExactly("stopping");
    assertThat(workDirectory).doesNotExist();
  }

  @Test
  void configuration_ofDefaults_followsTheDesign() {
    IgniteConfiguration ignite = create(Settings.defaults());
    assertThat(ignite.getDataStorageConfiguration().getPageSize()).isEqualTo(16_384);
    assertThat(ignite.getConnectorConfiguration()).isNull();
    assertThat(ignite.getClientConnectorConfiguration()).isNull();
    assertThat(ignite.isPeerClassLoadingEnabled()).isFalse();
    assertThat(System.getProperty("IGNITE_UPDATE_NOTIFIER")).isEqualTo("false");
    assertThat(ignite.getDataStorageConfiguration().getDataRegionConfigurations())
        .extracting(DataRegionConfiguration::getName, DataRegionConfiguration::getMaxSize)
        .containsExactly(tuple("samples", 2L << 30), tuple("meta", 128L << 20));
    assertThat(ignite.getCacheConfiguration())
        .extracting(cache -> cache.getName(), c -> c.getCacheMode(), c -> c.getAtomicityMode())
        .containsExactly(
            tuple("samples-0", CacheMode.PARTITIONED, CacheAtomicityMode.ATOMIC),
            tuple("samples-1", CacheMode.PARTITIONED, CacheAtomicityMode.ATOMIC),
            tuple("samples-2", CacheMode.PARTITIONED, CacheAtomicityMode.ATOMIC),
            tuple("versions", CacheMode.REPLICATED, CacheAtomicityMode.TRANSACTIONAL),
            tuple("heads", CacheMode.REPLICATED, CacheAtomicityMode.TRANSACTIONAL),
            tuple("pipelines", CacheMode.REPLICATED, CacheAtomicityMode.TRANSACTIONAL),
            tuple("manifests", CacheMode.REPLICATED, CacheAtomicityMode.TRANSACTIONAL),
            tuple("origin", CacheMode.REPLICATED, CacheAtomicityMode.TRANSACTIONAL),
            tuple("agreements", CacheMode.REPLICATED, CacheAtomicityMode.TRANSACTIONAL));
  }

  @Test
  void twoNodes_withStaticAddresses_makeOneGrid() throws Exception {
    Settings first = small().build();
    Settings second =
        small()
            .set(SettingKey.GRID_DISCOVERY_ADDRESSES, List.of("127.0.0.1:" + first.grid().port()))
            .build();
    try (Ignite one = Ignition.start(create(first));
        Ignite two = Ignition.start(create(second))) {
      assertThat(two.cluster().nodes()).hasSize(2);
      assertThat(one.cluster().nodes()).hasSize(2);
    }
  }

  @Test
  void node_withDnsName_startsAlone() throws Exception {
    Settings settings =
        small()
            .set(SettingKey.GRID_DISCOVERY_DNS_NAME, "localhost")
            .set(SettingKey.GRID_DISCOVERY_SETTLE_TIME, Duration.ofMillis(100))
            .build();
    try (Ignite ignite = Ignition.start(create(settings))) {
      assertThat(ignite.cluster().nodes()).hasSize(1);
    }
  }

  @Test
  void fullRegion_isTold_andTheNodeGoesOnServing() throws Exception {
    Settings settings = small().build();
    try (Ignite ignite = Ignition.start(create(settings))) {
      IgniteCache<SampleKey, byte[]> samples = ignite.cache(GridCaches.samples(0));
      int stored = fill(samples);
      assertThat(stored).isBetween(20, 63);
      assertThat(heard.events.take()).startsWith("memoryFull CRITICAL_ERROR");
      assertThat(samples.get(new SampleKey(1, 1, 1, 1, 0, 0))).hasSize(1 << 20);
      assertThat(heard.events).noneMatch(event -> event.startsWith("failed"));
    }
  }

  private static int fill(IgniteCache<SampleKey, byte[]> samples) {
    int stored = 0;
    try {
      for (; stored < 64; stored++) {
        samples.put(new SampleKey(1, 1, 1, 1, 0, stored), new byte[1 << 20]);
      }
    } catch (RuntimeException full) {
      assertThat(full).hasStackTraceContaining(FailureRelay.MEMORY_FULL);
    }
    return stored;
  }

  @Test
  void failure_isToldOnce_andStopsTheNodeInOrder() throws Exception {
    Ignite ignite = Ignition.start(create(small().build()));
    FailureContext failure =
        new FailureContext(FailureType.SEGMENTATION, new IllegalStateException("cut off"));
    Objects.requireNonNull(ignite.configuration().getFailureHandler()).onFailure(ignite, failure);
    Objects.requireNonNull(ignite.configuration().getFailureHandler()).onFailure(ignite, failure);

    assertThat(heard.next())
        .isEqualTo("failed SEGMENTATION: java.lang.IllegalStateException: cut off");
    assertThat(heard.next()).isEqualTo("stopping");
    // Close joins a stop under way.
    ignite.close();
    assertThat(heard.events).isEmpty();
    assertThat(Ignition.allGrids()).isEmpty();
  }

  @Test
  void memoryFullClass_isStillIgnites() throws Exception {
    assertThat(Class.forName(FailureRelay.MEMORY_FULL)).isAssignableTo(IgniteException.class);
  }

  @Test
  void ownIgniteXml_isTheBase_andOursIsLaidOnTop() throws Exception {
    Path xml = write(ownXml("<property name=\"metricsLogFrequency\" value=\"0\"/>"));
    Settings settings = small().set(SettingKey.GRID_IGNITE_XML, xml).build();
    try (Ignite ignite = Ignition.start(create(settings))) {
      assertThat(ignite.name()).isEqualTo("theirs");
      assertThat(ignite.cacheNames()).contains("their-cache", "samples-0", "versions", "pipelines");
      assertThat(ignite.configuration().getCacheConfiguration())
          .filteredOn(cache -> cache.getName().equals("samples-0"))
          .singleElement()
          .satisfies(cache -> assertThat(cache.getBackups()).isZero());
      assertThat(ignite.configuration().getDataStorageConfiguration().getDataRegionConfigurations())
          .extracting(DataRegionConfiguration::getName)
          .contains("their-region", "samples", "meta");
      assertThat(ignite.configuration().getDataStorageConfiguration().getPageSize())
          .isEqualTo(16_384);
      assertThat(ignite.cluster().localNode().<String>attribute("zone")).isEqualTo("a");
      assertThat(ignite.cluster().localNode().<String>attribute(NodeAttributes.HOST_ID))
          .isEqualTo(settings.grid().resolvedHostId());
      assertThat(ignite.configuration().getFailureDetectionTimeout()).isEqualTo(7000);
    }
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      textBlock =
          """
          <beans/>                                                | it has none
          <beans><bean class="%s"/><bean class="%s"/></beans>     | it has 2: %s#0, %s#1
          <beans><bean class="no.such.Type"/></beans>             | it cannot be loaded: java.lang.ClassNotFoundException: no.such.Type
          <beans><bean class="%s"><property name="x" value="1"/></bean></beans> | it cannot be loaded: org.springframework.beans.NotWritablePropertyException: Invalid property 'x' of bean class [%s]: Bean property 'x' is not writable or has an invalid setter method. Does the parameter type of the setter match the return type of the getter?
          <beans><bean class="%s"><property name="clientMode" value="true"/></bean></beans> | clientMode is true there, but a cache node keeps data: remove it
          """)
  void ownIgniteXml_unusable_isRefusedInWords(String beans, String hint) throws Exception {
    String type = IgniteConfiguration.class.getName();
    Path xml = write(xml(beans.replace("%s", type)));
    assertRefused(xml, hint.replace("%s", type));
  }

  @Test
  void ownIgniteXml_absent_isRefusedInWords() {
    assertRefused(temp.resolve("absent.xml"), "no such file can be read");
    assertRefused(temp, "no such file can be read");
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      textBlock =
          """
          not xml                                                  | Content is not allowed in prolog
          <beans                                                   | XML document structures must start and end within the same entity
          <!DOCTYPE b [<!ENTITY x SYSTEM "file:///etc/passwd">]><beans>&x;</beans> | DOCTYPE is disallowed
          <beans xmlns="http://example.invalid/schema"/>           | beans
          """)
  void ownIgniteXml_broken_isRefusedInWords(String text, String part) throws Exception {
    Path xml = write(text);
    assertThatExceptionOfType(SettingsException.class)
        .isThrownBy(() -> load(xml))
        .withMessageContaining(
            "grid.igniteXml=" + xml + ", allowed: a Spring XML file with one bean")
        .withMessageContaining("it cannot be loaded: ")
        .withMessageContaining(part);
  }

  @Test
  void ownIgniteXml_schemaNotOnTheClassPath_isNotFetched() throws Exception {
    Path xml =
        write(
            xml("<beans/>")
                .replace(
                    "http://www.springframework.org/schema/beans/spring-beans.xsd",
                    "http://127.0.0.1:1/schema.xsd"));
    assertThatExceptionOfType(SettingsException.class)
        .isThrownBy(() -> load(xml))
        .withMessageContaining("http://127.0.0.1:1/schema.xsd is not on the class path");
  }

  private void assertRefused(Path xml, String hint) {
    assertThatExceptionOfType(SettingsException.class)
        .isThrownBy(() -> load(xml))
        .withMessage(
            "settings: 1 problem\n  grid.igniteXml="
                + xml
                + ", allowed: a Spring XML file with one bean of class"
                + " org.apache.ignite.configuration.IgniteConfiguration, "
                + hint);
  }

  private void load(Path xml) {
    create(Settings.defaults().with(SettingKey.GRID_IGNITE_XML, xml));
  }

  private Path write(String text) throws IOException {
    return Files.writeString(temp.resolve("ignite.xml"), text);
  }

  private static String xml(String beans) {
    return "<?xml version=\"1.0\"?>\n"
        + beans.replaceFirst(
            "<beans",
            "<beans xmlns=\"http://www.springframework.org/schema/beans\""
                + " xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\""
                + " xsi:schemaLocation=\"http://www.springframework.org/schema/beans"
                + " http://www.springframework.org/schema/beans/spring-beans.xsd\"");
  }

  private static String ownXml(String properties) {
    return xml(
        """
        <beans>
          <bean class="org.apache.ignite.configuration.IgniteConfiguration">
            <property name="igniteInstanceName" value="theirs"/>
            <property name="failureDetectionTimeout" value="7000"/>
            <property name="userAttributes"><map><entry key="zone" value="a"/></map></property>
            %s
            <property name="dataStorageConfiguration">
              <bean class="org.apache.ignite.configuration.DataStorageConfiguration">
                <property name="dataRegionConfigurations">
                  <list>
                    <bean class="org.apache.ignite.configuration.DataRegionConfiguration">
                      <property name="name" value="their-region"/>
                      <property name="initialSize" value="67108864"/>
                      <property name="maxSize" value="67108864"/>
                    </bean>
                  </list>
                </property>
              </bean>
            </property>
            <property name="cacheConfiguration">
              <list>
                <bean class="org.apache.ignite.configuration.CacheConfiguration">
                  <property name="name" value="their-cache"/>
                  <property name="dataRegionName" value="their-region"/>
                </bean>
                <bean class="org.apache.ignite.configuration.CacheConfiguration">
                  <property name="name" value="samples-0"/>
                  <property name="backups" value="3"/>
                </bean>
              </list>
            </property>
          </bean>
        </beans>
        """
            .formatted(properties));
  }

  private static Settings.Builder small() throws IOException {
    List<Integer> ports = freePorts(2);
    return Settings.builder()
        .set(SettingKey.LANE_TCP_ENABLED, true)
        .set(SettingKey.GRID_PORT, ports.get(0))
        .set(SettingKey.GRID_COMMUNICATION_PORT, ports.get(1))
        .set(SettingKey.GRID_PARTITIONS, 32)
        .set(SettingKey.MEMORY_MAX_SIZE, DataSize.ofMiB(64))
        .set(SettingKey.MEMORY_META_MAX_SIZE, DataSize.ofMiB(32))
        .set(SettingKey.LANE_MAX_RECORD_SIZE, DataSize.ofMiB(8));
  }

  /** Each is given once: the kernel may offer one again that is free for the moment. */
  private static List<Integer> freePorts(int count) throws IOException {
    List<Integer> ports = new ArrayList<>();
    while (ports.size() < count) {
      try (ServerSocket socket = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
        if (GIVEN_PORTS.add(socket.getLocalPort())) {
          ports.add(socket.getLocalPort());
        }
      }
    }
    return ports;
  }

  /** Ports this process listens at, by the sockets it holds open. */
  private static Set<Integer> listeningPorts() throws IOException {
    Set<String> inodes = new TreeSet<>();
    try (var descriptors = Files.newDirectoryStream(Path.of("/proc/self/fd"))) {
      for (Path descriptor : descriptors) {
        // A descriptor may be closed while the list is read.
        if (Files.exists(descriptor, LinkOption.NOFOLLOW_LINKS)) {
          inodes.add(Files.readSymbolicLink(descriptor).toString());
        }
      }
    }
    Set<Integer> ports = new TreeSet<>();
    for (String table : List.of("/proc/net/tcp", "/proc/net/tcp6")) {
      for (String line : Files.readAllLines(Path.of(table))) {
        String[] fields = line.strip().split("\\s+", -1);
        if (fields[3].equals("0A") && inodes.contains("socket:[" + fields[9] + "]")) {
          ports.add(Integer.parseInt(fields[1].substring(fields[1].indexOf(':') + 1), 16));
        }
      }
    }
    return ports;
  }

  private static final class Heard implements GridListener {
    private final BlockingQueue<String> events = new LinkedBlockingQueue<>();

    String next() throws InterruptedException {
      return Objects.requireNonNull(events.poll(30, TimeUnit.SECONDS), "nothing was heard");
    }

    @Override
    public void memoryFull(String cause) {
      events.add("memoryFull " + cause);
    }

    @Override
    public void failed(String cause) {
      events.add("failed " + cause);
    }

    @Override
    public void refused(String from, Throwable why) {
      events.add("refused " + from);
    }

    @Override
    public void stopping() {
      events.add("stopping");
    }
  }
}
