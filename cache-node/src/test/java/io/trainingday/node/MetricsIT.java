package io.trainingday.node;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import io.trainingday.client.BatchStream;
import io.trainingday.client.CacheAdmin;
import io.trainingday.client.CachedSamples;
import io.trainingday.client.DatasetSpec;
import io.trainingday.client.ReadShape;
import io.trainingday.client.TrainingCache;
import io.trainingday.config.DataSize;
import io.trainingday.config.SettingKey;
import io.trainingday.config.Settings.Policy;
import io.trainingday.config.Settings.Tier;
import io.trainingday.node.TestCertificates.Identity;
import io.trainingday.processes.NodeProcess;
import java.io.File;
import java.io.IOException;
import java.net.URI;
import java.net.URLEncoder;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;

/** What running nodes serve is what the table says, and what the dashboard asks for. */
@ExtendWith(LocalGridLogs.class)
class MetricsIT {
  private static final Path TABLE = Path.of("..", "k8s", "METRICS.md");
  private static final Path DASHBOARD =
      Path.of("..", "k8s", "training-day", "files", "dashboard.json");
  private static final Duration SOON = Duration.ofSeconds(60);
  private static final int COUNT = 400;
  private static final int BATCH = 20;
  private static final Pattern LABEL = Pattern.compile("([a-z_]+)=\"(?:[^\"\\\\]|\\\\.)*\"");

  private final Path directory;

  MetricsIT(@TempDir Path directory) {
    this.directory = directory;
  }

  @Test
  void table_isWhatANodeServes_andPromtoolFindsNothingToSay() throws Exception {
    try (LocalGrid grid = grid(2)) {
      train(grid);
      String text = scrape(grid.node(0));

      assertThat(served(text)).containsExactlyInAnyOrderEntriesOf(table());
      assertThat(grid.metric(grid.node(0), "training_day_reads_total", "source=\"peer\""))
          .isPositive();
      assertThat(grid.metric(grid.node(0), "training_day_reads_total", "source=\"disk\""))
          .isPositive();
      for (String each :
          List.of(
              "training_day_batch_seconds_count{source=\"disk\"",
              "training_day_batch_seconds_count{source=\"peer\"",
              "training_day_batch_seconds_count{source=\"origin\"",
              "training_day_fill_seconds_count",
              "training_day_peer_read_seconds_count",
              "training_day_publish_seconds_count",
              "training_day_trainer_seconds_total{dataset=\"cold\",where=\"loop\"",
              "training_day_trainer_wait_seconds_total{dataset=\"cold\",where=\"worker\"",
              "training_day_origin_load_seconds_count{dataset=\"cold\"",
              "training_day_saved_load_seconds_total{dataset=\"cold\"",
              "training_day_tenant_bytes{tenant=\"default\"",
              "training_day_tenant_saved_load_seconds_total{tenant=\"default\"")) {
        assertThat(text.lines().filter(line -> line.startsWith(each)))
            .as(each)
            .hasSize(1)
            .noneMatch(line -> line.endsWith(" 0.0"));
      }

      Optional<Path> promtool = tool("promtool");
      assumeTrue(
          promtool.isPresent(),
          "promtool is not on the PATH (Debian: prometheus): the table was compared, what promtool"
              + " finds to say is not known");
      assertThat(said(text, promtool.orElseThrow().toString(), "check", "metrics")).isEmpty();
    }
  }

  /** By hand: a real Prometheus, and every query of the dashboard has an answer. */
  @Test
  @Tag("slow")
  void dashboard_ofThreeNodes_hasDataInEveryPanel() throws Exception {
    Optional<Path> prometheus = tool("prometheus");
    assumeTrue(prometheus.isPresent(), "prometheus is not on the PATH (Debian: prometheus)");
    int port = TestNodes.freePort();
    try (LocalGrid grid = grid(3)) {
      Path config = directory.resolve("prometheus.yml");
      Files.writeString(
          config,
          """
          global: {scrape_interval: 1s}
          scrape_configs:
            - job_name: training-day
              static_configs:
                - targets: [%s]
                  labels: {namespace: caches}
          """
              .formatted(
                  grid.nodes().stream()
                      .map(node -> URI.create(node.endpoints().metrics()).getAuthority())
                      .collect(Collectors.joining(", "))));
      Process server =
          new ProcessBuilder(
                  prometheus.orElseThrow().toString(),
                  "--config.file=" + config,
                  "--storage.tsdb.path=" + directory.resolve("tsdb"),
                  "--web.listen-address=127.0.0.1:" + port)
              .redirectErrorStream(true)
              .redirectOutput(directory.resolve("prometheus.log").toFile())
              .start();
      try {
        grid.awaitThat(
            "Prometheus scrapes three nodes",
            SOON,
            () ->
                ask(port, "count(training_day_ready == 1)").toString().contains("\"3\"")
                    ? ""
                    : "not yet");
        List<String> queries =
            new JsonMapper()
                .readTree(Files.readString(DASHBOARD)).findValuesAsText("expr").stream()
                    .map(
                        query ->
                            query
                                .replace("$namespace", ".*")
                                .replace("$__rate_interval", "60s")
                                .replace("$__range", "60s"))
                    .toList();
        List<String> silent = new ArrayList<>(queries);
        grid.awaitThat(
            "every query has an answer",
            SOON,
            () -> {
              train(grid);
              List<String> left = new ArrayList<>();
              for (String query : silent) {
                if (!hasNumber(ask(port, query))) {
                  left.add(query);
                }
              }
              silent.retainAll(left);
              return silent.isEmpty() ? "" : String.join("\n", silent);
            });
        for (String query : queries) {
          System.out.println(query + "\n    " + ask(port, query));
        }
      } finally {
        server.destroy();
        server.waitFor();
      }
    }
  }

  /** Whether one of the series in an answer has a value; a rate of nothing over nothing is none. */
  private static boolean hasNumber(JsonNode series) {
    for (JsonNode one : series) {
      if (Double.isFinite(Double.parseDouble(one.at("/value/1").asText()))) {
        return true;
      }
    }
    return false;
  }

  private LocalGrid grid(int nodes) throws Exception {
    Identity own = TestCertificates.selfSigned(directory, "own", "ip:127.0.0.1");
    return LocalGrid.of(nodes)
        .set(SettingKey.DISK_MAX_SIZE, DataSize.ofGiB(1))
        .set(SettingKey.GRID_TLS_CERTIFICATE, own.certificate())
        .set(SettingKey.GRID_TLS_KEY, own.key())
        .set(SettingKey.GRID_TLS_TRUST, own.certificate())
        .setDataset("cold", SettingKey.DATASET_TIER, Tier.DISK)
        .setDataset("warm", SettingKey.DATASET_POLICY, Policy.LRU)
        .eachNode(
            (number, node) -> node.set(SettingKey.DISK_PATH, directory.resolve("disk-" + number)))
        .start();
  }

  /** Makes every metric move: two passes over two data sets, and a publish. */
  private static void train(LocalGrid grid) throws IOException, InterruptedException {
    Pictures pictures = new Pictures(4_000);
    try (TrainingCache cache = grid.connect(grid.node(0))) {
      for (String name : List.of("cold", "warm")) {
        DatasetSpec spec = Pictures.spec(name, COUNT);
        for (int pass = 0; pass < 2; pass++) {
          try (CachedSamples samples = cache.open(spec);
              BatchStream stream =
                  samples.stream(
                      LongStream.range(0, COUNT / BATCH)
                          .mapToObj(i -> LongStream.range(i * BATCH, (i + 1) * BATCH).toArray())
                          .iterator(),
                      ReadShape.COLLATED,
                      pictures.loader(),
                      2)) {
            while (stream.hasNext()) {
              stream.next().close();
            }
          }
          for (NodeProcess node : grid.nodes()) {
            grid.awaitThat(
                "all is written",
                SOON,
                () -> grid.metric(node, "training_day_fill_inflight_bytes") == 0 ? "" : "not yet");
          }
        }
      }
    }
    readAsAWorker(grid, pictures);
    TrainingCache.Config remote =
        TrainingCache.Config.builder().address(grid.node(0).endpoints().tcp()).build();
    try (TrainingCache cache = TrainingCache.connect(remote);
        CachedSamples samples = cache.open(Pictures.spec("warm", COUNT))) {
      samples.read(new long[] {1}, ReadShape.RECORDS, pictures.loader()).close();
    }
    try (CacheAdmin admin =
        CacheAdmin.connect(
            TrainingCache.Config.builder()
                .address("unix:" + grid.node(0).endpoints().socket())
                .build())) {
      assertThat(admin.publishChanged("warm", 1)).isPositive();
    }
  }

  /** One sample at a time, so that some batches are of this node's disk alone. */
  private static void readAsAWorker(LocalGrid grid, Pictures pictures) throws InterruptedException {
    try (TrainingCache cache = grid.connect(grid.node(0));
        CachedSamples samples = cache.open(Pictures.spec("cold", COUNT))) {
      Thread worker =
          new Thread(
              () ->
                  LongStream.range(0, BATCH)
                      .forEach(
                          i ->
                              samples
                                  .read(new long[] {i}, ReadShape.RECORDS, pictures.loader())
                                  .close()));
      worker.start();
      worker.join();
    }
  }

  /** Type, unit and labels of each metric by its name, as the table has them. */
  private static Map<String, List<String>> table() throws IOException {
    Map<String, List<String>> rows = new TreeMap<>();
    for (String line : Files.readAllLines(TABLE)) {
      if (line.startsWith("| `training_day_")) {
        String[] cells = line.split("\\|", -1);
        String name = cells[1].strip().replace("`", "");
        String unit = cells[3].strip();
        String bare = name.replaceFirst("_total$", "");
        assertThat(bare.endsWith("_seconds")).as(line).isEqualTo(unit.equals("seconds"));
        assertThat(bare.endsWith("_bytes")).as(line).isEqualTo(unit.equals("bytes"));
        assertThat(unit).as(line).isIn("seconds", "bytes", "count", "number", "0–1", "0, 1");
        assertThat(cells[5]).as(line).isNotBlank();
        TreeSet<String> labels = new TreeSet<>();
        Arrays.stream(cells[4].split(",", -1))
            .map(label -> label.strip().replace("`", ""))
            .filter(label -> !label.isEmpty())
            .forEach(labels::add);
        assertThat(rows.put(name, List.of(cells[2].strip(), labels.toString())))
            .as(name + " twice")
            .isNull();
      }
    }
    return rows;
  }

  /** Type and labels of each metric of ours, as a node serves them. */
  private static Map<String, List<String>> served(String text) {
    Map<String, String> types = new TreeMap<>();
    Map<String, TreeSet<String>> labels = new TreeMap<>();
    for (String line : text.split("\n", -1)) {
      if (line.startsWith("# TYPE training_day_")) {
        types.put(line.split(" ", -1)[2], line.split(" ", -1)[3]);
      } else if (line.startsWith("training_day_")) {
        String name = line.split("[{ ]", 2)[0];
        String family =
            types.containsKey(name) ? name : name.replaceFirst("_(bucket|count|sum)$", "");
        TreeSet<String> all = labels.computeIfAbsent(family, unused -> new TreeSet<>());
        Matcher label = LABEL.matcher(line.substring(name.length()));
        while (label.find()) {
          if (!label.group(1).equals("le")) {
            all.add(label.group(1));
          }
        }
      }
    }
    assertThat(labels.keySet()).as("each has a sample").isEqualTo(types.keySet());
    Map<String, List<String>> served = new TreeMap<>();
    types.forEach(
        (name, type) ->
            served.put(name, List.of(type, labels.getOrDefault(name, new TreeSet<>()).toString())));
    return served;
  }

  private static String scrape(NodeProcess node) throws IOException, InterruptedException {
    return get(URI.create(node.endpoints().metrics()));
  }

  private static JsonNode ask(int port, String query) throws IOException, InterruptedException {
    return new JsonMapper()
        .readTree(
            get(
                URI.create(
                    "http://127.0.0.1:%d/api/v1/query?query=%s"
                        .formatted(port, URLEncoder.encode(query, UTF_8)))))
        .at("/data/result");
  }

  private static String get(URI from) throws IOException, InterruptedException {
    HttpResponse<String> response =
        HttpClient.newHttpClient()
            .send(
                HttpRequest.newBuilder(from).timeout(SOON).build(),
                HttpResponse.BodyHandlers.ofString());
    assertThat(response.statusCode()).as(response.body()).isEqualTo(200);
    return response.body();
  }

  /** What a program says that is given a text to read; it may fail for that. */
  private static String said(String text, String... command)
      throws IOException, InterruptedException {
    Path input = Files.createTempFile("metrics", ".txt");
    try {
      Files.writeString(input, text);
      Process process =
          new ProcessBuilder(command)
              .redirectInput(input.toFile())
              .redirectErrorStream(true)
              .start();
      String said = new String(process.getInputStream().readAllBytes(), UTF_8);
      int exit = process.waitFor();
      return exit == 0 || !said.isEmpty() ? said : "exit " + exit;
    } finally {
      Files.delete(input);
    }
  }

  private static Optional<Path> tool(String name) {
    return Arrays.stream(System.getenv().getOrDefault("PATH", "").split(File.pathSeparator, -1))
        .map(one -> Path.of(one, name))
        .filter(Files::isExecutable)
        .findFirst();
  }
}
