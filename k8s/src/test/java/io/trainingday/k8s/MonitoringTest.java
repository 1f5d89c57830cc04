package io.trainingday.k8s;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.File;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.regex.Matcher;
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

  /** A metric in a query, and what stands in braces behind it. */
  private static final Pattern ASKED =
      Pattern.compile("\\b((?:training_day|jvm|process)_[a-z_]+)(\\{[^}]*})?");

  private static final Pattern MATCHER = Pattern.compile("([a-z_]+) *(?:=~|!=|!~|=) *\"");
  private static final Pattern GROUPING = Pattern.compile("\\b(?:by|without) *\\(([^)]*)\\)");

  /** What Prometheus adds to every metric when it scrapes a pod. */
  private static final Set<String> OF_THE_TARGET = Set.of("namespace", "job", "instance", "pod");

  /** Of the JVM's own, which a library gives, those that the dashboard shows. */
  private static final Map<String, Set<String>> OF_THE_JVM =
      Map.of(
          "jvm_memory_bytes_used",
          Set.of("area"),
          "jvm_gc_collection_seconds_sum",
          Set.of("gc"),
          "process_cpu_seconds_total",
          Set.of());

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

  @Test
  void alerts_areRules() throws IOException, InterruptedException {
    runPromtool("check", "rules", ALERTS.toString());
  }

  @Test
  void alerts_fireAsTheirTestsSay() throws IOException, InterruptedException {
    runPromtool("test", "rules", "src/test/resources/alerts-test.yaml");
  }

  private static void runPromtool(String... arguments) throws IOException, InterruptedException {
    Optional<Path> promtool = promtool();
    assumeTrue(
        promtool.isPresent(),
        "promtool is not on the PATH (Debian: prometheus), so alerts were not run: only that they"
            + " ask for metrics that exist, and have a test each, was looked at");
    List<String> command = new ArrayList<>(List.of(promtool.orElseThrow().toString()));
    command.addAll(List.of(arguments));
    Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
    String said = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assertThat(process.waitFor()).as(said).isZero();
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

  @Test
  void queries_thatAskForWhatIsNotThere_areFound() throws IOException {
    Map<String, Set<String>> known = series();
    assertThat(problems("sum(training_day_ready)", known)).isEmpty();
    assertThat(problems("sum by (le, source) (training_day_batch_seconds_bucket)", known))
        .isEmpty();
    assertThat(problems("training_day_raedy", known)).hasSize(1);
    assertThat(problems("training_day_batch_seconds", known)).hasSize(1);
    assertThat(problems("training_day_origin_load_seconds_bucket", known)).hasSize(1);
    assertThat(problems("training_day_ready{dataset=\"a\"}", known)).hasSize(1);
    assertThat(problems("sum by (tenant) (training_day_ready)", known)).hasSize(1);
    assertThat(problems("vector(1)", known)).hasSize(1);
  }

  private static void assertKnown(List<String> queries) throws IOException {
    Map<String, Set<String>> known = series();
    assertThat(queries)
        .isNotEmpty()
        .allSatisfy(query -> assertThat(problems(query, known)).as(query).isEmpty());
  }

  private static List<String> problems(String query, Map<String, Set<String>> known) {
    List<String> problems = new ArrayList<>();
    Set<String> ofAll = new TreeSet<>(OF_THE_TARGET);
    Matcher asked = ASKED.matcher(query);
    boolean any = false;
    while (asked.find()) {
      any = true;
      Set<String> labels = known.get(asked.group(1));
      if (labels == null) {
        problems.add("no metric " + asked.group(1));
        continue;
      }
      ofAll.addAll(labels);
      MATCHER
          .matcher(asked.group(2) == null ? "" : asked.group(2))
          .results()
          .map(hit -> hit.group(1))
          .filter(label -> !labels.contains(label) && !OF_THE_TARGET.contains(label))
          .forEach(label -> problems.add(asked.group(1) + " has no label " + label));
    }
    GROUPING
        .matcher(query)
        .results()
        .flatMap(hit -> Arrays.stream(hit.group(1).split(",", -1)))
        .map(String::strip)
        .filter(label -> !ofAll.contains(label))
        .forEach(label -> problems.add("nothing has a label " + label));
    if (!any) {
      problems.add("asks for no metric");
    }
    return problems;
  }

  /** The names of all time series with their labels, as the table has them. */
  private static Map<String, Set<String>> series() throws IOException {
    Map<String, Set<String>> series = new TreeMap<>(OF_THE_JVM);
    for (String line : Files.readAllLines(Path.of("METRICS.md"))) {
      if (line.startsWith("| `training_day_")) {
        String[] cells = line.split("\\|", -1);
        String name = cells[1].strip().replace("`", "");
        Set<String> labels =
            Arrays.stream(cells[4].split(",", -1))
                .map(label -> label.strip().replace("`", ""))
                .filter(label -> !label.isEmpty())
                .collect(Collectors.toCollection(TreeSet::new));
        String type = cells[2].strip();
        if (type.equals("histogram")) {
          Set<String> ofBuckets = new TreeSet<>(labels);
          ofBuckets.add("le");
          series.put(name + "_bucket", ofBuckets);
        }
        if (type.equals("histogram") || type.equals("summary")) {
          series.put(name + "_count", labels);
          series.put(name + "_sum", labels);
        } else {
          series.put(name, labels);
        }
      }
    }
    return series;
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
