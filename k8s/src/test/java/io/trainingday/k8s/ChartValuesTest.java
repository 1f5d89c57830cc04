package io.trainingday.k8s;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.trainingday.config.DataSize;
import io.trainingday.config.SettingKey;
import io.trainingday.config.Settings;
import io.trainingday.config.SettingsException;
import io.trainingday.config.format.SettingsReader;
import io.trainingday.node.capacity.NodeMemory;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Values: which there are, what each may be, and what is said to a wrong one. */
class ChartValuesTest {
  private static final Path SCHEMA = Chart.DIRECTORY.resolve("values.schema.json");
  private static final Path SETTINGS =
      Path.of("../ignite-config/src/main/resources/training-day.schema.json");
  private static final String IMAGE = "image.repository=registry.example.com/training-day";

  /** Settings that the chart works out, so nobody may say otherwise. */
  private static final List<String> OWN_SETTINGS =
      List.of(
          "grid.hostId",
          "grid.zone",
          "grid.localAddress",
          "grid.port",
          "grid.communicationPort",
          "grid.discovery.addresses",
          "grid.discovery.dnsName",
          "grid.tls",
          "grid.igniteXml",
          "disk",
          "lane.socket",
          "stop",
          "lane.segmentDirectory",
          "lane.tenants",
          "lane.tcp",
          "lane.tls",
          "lane.tokensFile",
          "metrics");

  @Test
  void withoutAnImage_theMessageSaysHowToGetOne() {
    assertThatThrownBy(() -> Chart.render(Map.of()))
        .hasMessageContaining("image")
        .hasMessageContaining("docker build -f k8s/Dockerfile")
        .hasMessageContaining("set image.repository=")
        .hasMessageContaining("k8s/README.md");
  }

  @ParameterizedTest(name = "{0}")
  @CsvSource(
      delimiter = '|',
      textBlock =
          """
          replcas=3                                     | additional properties 'replcas' not allowed
          lane.mout=none                                | at '/lane': additional properties 'mout' not allowed
          mode=Deployment                               | at '/mode': value must be one of 'DaemonSet', 'StatefulSet'
          lane.mount=pvc                                | at '/lane/mount': value must be one of 'hostPath', 'persistentVolume', 'none'
          lane.gid=0                                    | at '/lane/gid': minimum: got 0, want 1
          podSecurity.runAsUser=0                       | at '/podSecurity/runAsUser': minimum: got 0, want 1
          resources.memory=16                           | at '/resources/memory'
          resources.memory=16GB                         | at '/resources/memory': '16GB' does not match pattern
          settings.memory.maxSize=64g                   | at '/settings/memory/maxSize': '64g' does not match pattern
          settings.memory.maxSise=64GiB                 | at '/settings/memory': additional properties 'maxSise' not allowed
          settings.log.level=loud                       | at '/settings/log/level': value must be one of 'error', 'warn', 'info', 'debug', 'trace'
          settings.datasets.imagenet.backups=5          | at '/settings/datasets/imagenet/backups': maximum: got 5, want 2
          settings.lane.socket=/tmp/a                   | at '/settings/lane': additional properties 'socket' not allowed
          settings.grid.port=1                          | at '/settings/grid': additional properties 'port' not allowed
          settings.disk.path=/data                      | at '/settings': additional properties 'disk' not allowed
          ports.lane=80                                 | at '/ports/lane': minimum: got 80, want 1,024
          ports.lane=9464                               | ports.metrics=9464 <> ports.lane=9464, give each its own port
          lane.mount=persistentVolume                   | lane.mount=persistentVolume makes a claim in each of trainerNamespaces, which is empty
          lane.tenants[0].name=team-a lane.tenants[0].gid=10003 | lane.tenants need tokens.secretName
          tokens.secretName=t lane.tenants[0].name=team-a lane.tenants[0].gid=10002 | gid 10002 of tenant team-a is that of tenant default, too
          tokens.secretName=t lane.tenants[0].name=default lane.tenants[0].gid=10003 | tenant default is named twice
          tokens.secretName=t trainerNamespaces[0]=x lane.tenants[0].name=a lane.tenants[0].gid=3 lane.tenants[0].namespaces[0]=x | namespace x is named twice
          disk.type=persistentVolumeClaim               | disk.type=persistentVolumeClaim needs mode=StatefulSet, mode=DaemonSet
          resources.memory=2Gi                          | settings.memory.maxSize=auto has at least 64MiB left, but resources.memory=2048MiB - jvm.heap=1024MiB
          settings.memory.maxSize=15GiB                 | settings.memory.maxSize=15GiB > resources.memory=16384MiB - jvm.heap=1024MiB
          resources.memory=4000Mi                       | settings.lane.maxRecordSize=64MiB > an eighth of the 416MiB for samples
          settings.grid.partitions=32768 resources.memory=8Gi | settings.grid.partitions=32768 x 96KiB > half of the
          monitoring.serviceMonitor.enabled=true monitoring.podMonitor.enabled=true | would scrape every node twice
          """)
  void wrongValue_isNamedWithWhatIsAllowed(String values, String message) {
    assertThatThrownBy(() -> Chart.render(parse(IMAGE + " " + values)))
        .hasMessageContaining(message);
  }

  /** The chart says no where the node would, and only there: at the limit itself. */
  @ParameterizedTest(name = "{0} heap {1} direct {2} slots {3} meta {4}")
  @CsvSource({
    "4608, 512, 512, 256, 128",
    "5120, 1024, 1024, 1024, 128",
    "16384, 1024, 1024, 1024, 128",
    "65536, 4096, 2048, 8192, 1024",
    "1048577, 1024, 1024, 65536, 256"
  })
  void memoryForSamples_isWhatTheNodeWorksOut(
      long limit, long heap, long direct, long slots, long meta) throws IOException {
    Map<String, String> values =
        parse(
            IMAGE
                + " resources.memory=%dMi jvm.heap=%dMi jvm.directMemory=%dMi"
                    .formatted(limit, heap, direct)
                + " settings.lane.slots.maxBytes=%dMiB settings.memory.metaMaxSize=%dMiB"
                    .formatted(slots, meta)
                + " settings.lane.slots.maxBytesPerConnection=128MiB settings.lane.maxRecordSize=1MiB");
    long samples = samples(Chart.render(values));
    assertThat(nodeSamples(values, limit, heap, direct)).isEqualTo(samples);

    Map<String, String> all = new TreeMap<>(values);
    all.put("settings.memory.maxSize", samples + "MiB");
    assertThat(samples(Chart.render(all))).isEqualTo(samples);
    assertThat(nodeSamples(all, limit, heap, direct)).isEqualTo(samples);

    DataSize tooMuch = DataSize.ofMiB(samples + 1);
    all.put("settings.memory.maxSize", tooMuch.toString());
    assertThatThrownBy(() -> Chart.render(all)).hasMessageContaining("settings.memory.maxSize");
    Settings refused = settings(values).with(SettingKey.MEMORY_MAX_SIZE, tooMuch);
    assertThatThrownBy(() -> NodeMemory.resolve(refused, limit << 20, heap << 20, direct << 20))
        .isInstanceOf(SettingsException.class);
  }

  /** What a node takes over while it runs replaces no pod; everything else does. */
  @Test
  void settings_replacePodsWhenTheyCountAtTheNextStart() {
    JsonNode before = Chart.render(parse(IMAGE)).nodes();
    int others = 0;
    for (SettingKey<?, ?> key : SettingKey.all()) {
      if (!isOwn(key.name())) {
        JsonNode after = nodesWith(key.name(), otherThan(key));
        boolean same = after.equals(before);
        assertThat(same).as(key.name()).isEqualTo(key.effect() != SettingKey.Effect.AT_START);
        others += same ? 0 : 1;
      }
    }
    assertThat(others).isGreaterThan(15);
    for (SettingKey<?, ?> key : SettingKey.ofDataset()) {
      assertThat(key.effect()).isNotEqualTo(SettingKey.Effect.AT_START);
      JsonNode after = nodesWith(key.name().replace("<name>", "pets"), otherThan(key));
      assertThat(after).as(key.name()).isEqualTo(before);
    }
  }

  private static JsonNode nodesWith(String key, String value) {
    return Chart.render(parse(IMAGE + " settings." + key + "=" + value)).nodes();
  }

  private static boolean isOwn(String key) {
    return OWN_SETTINGS.stream().anyMatch(own -> key.equals(own) || key.startsWith(own + "."));
  }

  /** Another value than the one in the chart's values, allowed and small. */
  private static String otherThan(SettingKey<?, ?> key) {
    String name = key.name();
    if (!key.choices().isEmpty()) {
      String usual = usual(key);
      return key.choices().stream().filter(one -> !one.equals(usual)).findFirst().orElseThrow();
    }
    return switch (name) {
      case "grid.name" -> "other";
      case "memory.maxSize" -> "2GiB";
      case "grid.partitions" -> "512";
      case "grid.discovery.settleTime" -> "11s";
      case "lane.maxRecordSize" -> "8MiB";
      case "datasets.<name>.quota", "datasets.<name>.guaranteed" -> "10%";
      default ->
          switch (key.kind()) {
            case INTEGER -> Long.toString(key.max() == 2 ? 1 : Long.parseLong(usual(key)) + 1);
            case BOOLEAN -> usual(key).equals("true") ? "false" : "true";
            case TEXT, TEXT_LIST -> key.allowed().contains("duration") ? "59s" : "99MiB";
          };
    };
  }

  private static <O, T> String usual(SettingKey<O, T> key) {
    return key.defaultValue().map(key::format).orElse("");
  }

  /** {@code --set nodeSelector=null} takes a default away. */
  @ParameterizedTest
  @ValueSource(strings = {"nodeSelector", "affinity", "tolerations", "podLabels", "zoneLabel"})
  void valueTakenAway_isNoError(String name) {
    for (String mode : List.of("DaemonSet", "StatefulSet")) {
      Manifests without = Chart.render(parse(IMAGE + " mode=" + mode + " " + name + "=null"));
      assertThat(KubernetesModels.problem(without.workload())).isEmpty();
    }
  }

  @Test
  void unstatedSettings_countWithTheirDefaults() {
    Settings defaults = Settings.defaults();
    // The chart has them as texts, for its arithmetic.
    String helpers = read(Chart.DIRECTORY.resolve("templates/_helpers.tpl"));
    assertThat(helpers)
        .contains("\"maxBytes\" \"" + defaults.lane().slots().maxBytes() + "\"")
        .contains("\"metaMaxSize\" \"" + defaults.memory().metaMaxSize() + "\"")
        .contains("\"maxSize\" \"" + defaults.memory().maxSize() + "\"")
        .contains("\"maxRecordSize\" \"" + defaults.lane().maxRecordSize() + "\"")
        .contains("\"partitions\" " + defaults.grid().partitions());
  }

  /** After a change of the settings: {@code mvn -q test -pl k8s -am -Dregenerate=true …}. */
  @Test
  void schemaOfSettings_isThatOfTheNodeButForWhatTheChartWorksOut() throws IOException {
    ObjectNode expected = (ObjectNode) Chart.yaml(read(SETTINGS));
    expected.remove(List.of("$schema", "title"));
    for (String own : OWN_SETTINGS) {
      JsonNode section = expected;
      String[] path = own.split("\\.", -1);
      for (String step : Arrays.copyOf(path, path.length - 1)) {
        section = section.path("properties").path(step);
      }
      JsonNode removed = ((ObjectNode) section.path("properties")).remove(path[path.length - 1]);
      assertThat(removed).as(own + " is a setting").isNotNull();
    }
    ObjectNode schema = (ObjectNode) Chart.yaml(read(SCHEMA));
    if (Boolean.getBoolean("regenerate")) {
      ((ObjectNode) schema.path("properties")).set("settings", expected);
      Files.writeString(SCHEMA, schema.toPrettyString() + "\n");
    }
    assertThat(schema.at("/properties/settings")).isEqualTo(expected);
  }

  @Test
  void schema_refusesUnknownKeysEverywhereAndKnowsEveryValue() throws IOException {
    JsonNode schema = Chart.yaml(read(SCHEMA));
    JsonNode values = Chart.yaml(read(Chart.DIRECTORY.resolve("values.yaml")));
    closed("", schema);
    TreeSet<String> known = new TreeSet<>();
    schema.at("/properties").fieldNames().forEachRemaining(known::add);
    known.remove("global");
    TreeSet<String> there = new TreeSet<>();
    values.fieldNames().forEachRemaining(there::add);
    assertThat(there).isEqualTo(known);
  }

  /** Objects whose keys are named: each must refuse any other. */
  private static void closed(String where, JsonNode schema) {
    if (schema.has("properties")) {
      assertThat(
              schema.path("additionalProperties").isBoolean()
                  && !schema.path("additionalProperties").asBoolean())
          .as("schema of %s is closed", where)
          .isTrue();
      schema
          .path("properties")
          .properties()
          .forEach(property -> closed(where + "/" + property.getKey(), property.getValue()));
    }
  }

  @Test
  void values_haveACommentEach() {
    List<String> lines = read(Chart.DIRECTORY.resolve("values.yaml")).lines().toList();
    for (int i = 0; i < lines.size(); i++) {
      if (lines.get(i).matches(" *[A-Za-z_]+:.*")) {
        int above = i - 1;
        while (above > 0 && lines.get(above).matches(" *# (?!--).*")) {
          above--;
        }
        assertThat(lines.get(above)).as("above: %s", lines.get(i)).matches(" *# -- \\S.*");
      }
    }
  }

  private static long samples(Manifests manifests) {
    String text =
        manifests.nodes().at("/metadata/annotations").path("training-day/samples").asText();
    return Long.parseLong(text.replace("MiB", ""));
  }

  private static long nodeSamples(Map<String, String> values, long limit, long heap, long direct)
      throws IOException {
    Settings resolved = NodeMemory.resolve(settings(values), limit << 20, heap << 20, direct << 20);
    return resolved.memory().maxSize().bytes() >> 20;
  }

  /** The file that a node would read. */
  private static Settings settings(Map<String, String> values) throws IOException {
    JsonNode map = Chart.render(values).one("ConfigMap", "demo-training-day");
    Path file = Files.createTempFile("settings", ".yaml");
    try {
      Files.writeString(file, map.at("/data/training-day.yaml").asText());
      return SettingsReader.read(file);
    } finally {
      Files.delete(file);
    }
  }

  private static String read(Path file) {
    try {
      return Files.readString(file);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static Map<String, String> parse(String text) {
    Map<String, String> values = new TreeMap<>();
    for (String one : text.strip().split(" +", -1)) {
      String[] pair = one.split("=", 2);
      values.put(pair[0], pair[1]);
    }
    return values;
  }
}
