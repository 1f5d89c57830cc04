package io.trainingday.k8s;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.File;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** Alerts, the dashboard and the table of metrics speak of metrics that a node has. */
class MonitoringTest {
  private static final Path ALERTS = Chart.DIRECTORY.resolve("files/alerts.yaml");
  private static final Path DASHBOARD = Chart.DIRECTORY.resolve("files/dashboard.json");
  private static final Path COLLECTOR =
      Path.of("../cache-node/src/main/java/io/trainingday/node/metrics/NodeCollector.java");
  private static final Pattern OURS = Pattern.compile("training_day_[a-z_]+");
  private static final Pattern ANY = Pattern.compile("\\b(?:training_day|jvm|process)_[a-z_]+");

  /** Of the JVM's own, which a library gives, those that the dashboard shows. */
  private static final Set<String> OF_THE_JVM =
      Set.of("jvm_memory_bytes_used", "jvm_gc_collection_seconds_sum", "process_cpu_seconds_total");

  @Test
  void alerts_askForMetricsThatExist() throws IOException {
    JsonNode rules = Chart.yaml(Files.readString(ALERTS)).at("/groups/0/rules");
    assertThat(rules).hasSizeGreaterThan(10);
    assertKnown(rules.findValuesAsText("expr"));
  }

  @Test
  void alerts_haveEachATest() throws IOException {
    JsonNode rules = Chart.yaml(Files.readString(ALERTS)).at("/groups/0/rules");
    Set<String> tested =
        Chart.yaml(Files.readString(Path.of("src/test/resources/alerts-test.yaml")))
            .findParents("exp_alerts")
            .stream()
            .map(test -> test.path("alertname").asText())
            .collect(Collectors.toSet());
    assertThat(tested).containsExactlyInAnyOrderElementsOf(rules.findValuesAsText("alert"));
  }

  /** Where Prometheus is installed its own tool runs them; elsewhere the two tests above remain. */
  @Test
  void alerts_fireAsTheirTestsSay() throws IOException, InterruptedException {
    Optional<Path> promtool = promtool();
    if (promtool.isPresent()) {
      Process process =
          new ProcessBuilder(
                  promtool.get().toString(), "test", "rules", "src/test/resources/alerts-test.yaml")
              .redirectErrorStream(true)
              .start();
      String said = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
      assertThat(process.waitFor()).as(said).isZero();
    }
  }

  @Test
  void dashboard_asksForMetricsThatExistAndLinesUp() throws IOException {
    JsonNode dashboard = Chart.yaml(Files.readString(DASHBOARD));
    assertKnown(dashboard.findValuesAsText("expr"));
    TreeSet<String> places = new TreeSet<>();
    for (JsonNode panel : dashboard.path("panels")) {
      assertThat(panel.path("targets")).isNotEmpty();
      JsonNode at = panel.path("gridPos");
      assertThat(at.path("x").asInt() + at.path("w").asInt()).isLessThanOrEqualTo(24);
      assertThat(places.add(at.path("x") + "," + at.path("y")))
          .as(panel.path("title").asText())
          .isTrue();
    }
  }

  @Test
  void table_hasEveryMetricOnce() throws IOException {
    List<String> listed =
        Files.readAllLines(Path.of("METRICS.md")).stream()
            .filter(line -> line.startsWith("| `training_day_"))
            .map(line -> line.substring(3, line.indexOf('`', 3)))
            .toList();
    assertThat(listed).containsExactlyInAnyOrderElementsOf(names());
  }

  private static void assertKnown(List<String> queries) throws IOException {
    Set<String> known = new TreeSet<>(OF_THE_JVM);
    for (String name : names()) {
      known.add(name);
      known.add(name + "_count");
      known.add(name + "_sum");
    }
    assertThat(queries)
        .isNotEmpty()
        .allSatisfy(
            query -> {
              List<String> asked = ANY.matcher(query).results().map(hit -> hit.group()).toList();
              assertThat(asked).isNotEmpty();
              assertThat(known).containsAll(asked);
            });
  }

  /** The names of all metrics, which stand in the collector's source and nowhere else. */
  private static Set<String> names() throws IOException {
    return OURS.matcher(Files.readString(COLLECTOR))
        .results()
        .map(hit -> hit.group())
        .collect(Collectors.toCollection(TreeSet::new));
  }

  private static Optional<Path> promtool() {
    String path = System.getenv().getOrDefault("PATH", "");
    Stream<Path> candidates =
        Arrays.stream(path.split(File.pathSeparator, -1)).map(one -> Path.of(one, "promtool"));
    return candidates.filter(Files::isExecutable).findFirst();
  }
}
