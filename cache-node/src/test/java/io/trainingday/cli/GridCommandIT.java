package io.trainingday.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import io.trainingday.client.TrainingCache;
import io.trainingday.processes.ChildProcess;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** {@code training-day grid} as a process of its own, as a user runs it. */
class GridCommandIT {
  private static final Duration LIMIT = Duration.ofMinutes(2);

  private final Path directory;
  private final Path report;
  private final List<ChildProcess> started = new ArrayList<>();

  GridCommandIT(@TempDir Path directory) {
    this.directory = directory;
    report = directory.resolve("grid.json");
  }

  @AfterEach
  void stop() {
    started.forEach(ChildProcess::kill);
  }

  private ChildProcess grid(String... options) {
    List<String> arguments = new ArrayList<>(List.of("grid", "--memory", "64MiB"));
    arguments.addAll(List.of(options));
    ChildProcess grid =
        ChildProcess.start(
            "training-day grid",
            List.of(),
            List.of("-Xmx128m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"),
            Main.class.getName(),
            arguments,
            Map.of(),
            directory.resolve("grid.log"));
    started.add(grid);
    return grid;
  }

  /** What the report says, once it is there. */
  private JsonNode nodes(ChildProcess grid) throws IOException {
    await()
        .atMost(LIMIT)
        .failFast(() -> assertThat(grid.isAlive()).as(grid.lastLines()).isTrue())
        .until(() -> Files.exists(report));
    return new JsonMapper().readTree(report.toFile()).path("nodes");
  }

  @Test
  void nodes_serveAsOneGrid_untilASignal() throws Exception {
    ChildProcess grid = grid("--nodes", "2", "--report", report.toString());
    JsonNode nodes = nodes(grid);

    assertThat(nodes).hasSize(2);
    List<String> hosts = new ArrayList<>();
    for (JsonNode node : nodes) {
      assertThat(node.properties())
          .extracting(property -> property.getKey())
          .containsExactly("id", "pid", "hostId", "socket", "tcp", "metrics");
      hosts.add(node.path("hostId").asText());
      for (String address :
          List.of("unix:" + node.path("socket").asText(), node.path("tcp").asText())) {
        try (TrainingCache cache =
            TrainingCache.connect(TrainingCache.Config.builder().address(address).build())) {
          assertThat(cache.isAttached()).as(address).isTrue();
          assertThat(cache.nodeStatus()).contains(node.path("hostId").asText());
        }
      }
      HttpResponse<String> metrics =
          HttpClient.newHttpClient()
              .send(
                  HttpRequest.newBuilder(URI.create(node.path("metrics").asText())).build(),
                  HttpResponse.BodyHandlers.ofString());
      assertThat(metrics.body()).contains("training_day_ready 1.0");
    }
    assertThat(hosts).containsExactly("host-1", "host-2");
    assertThat(grid.hear(LIMIT)).isEqualTo("2 cache nodes serve as one grid");
    Leftovers leftovers = Leftovers.of(nodes);
    leftovers.requireThere();

    ProcessHandle.of(grid.pid()).orElseThrow().destroy();

    assertThat(grid.awaitEnd(LIMIT)).isTrue();
    assertThat(grid.exitCode()).hasValue(128 + 15);
    leftovers.requireGone();
    assertThat(grid.lastLines()).isEqualTo(", it logged nothing");
  }

  @Test
  @ChecksAnswer("grid")
  void grid_killed_leavesNothingBehind() throws Exception {
    ChildProcess grid = grid("--nodes", "2", "--json", "--report", report.toString());
    JsonNode nodes = nodes(grid);
    Leftovers leftovers = Leftovers.of(nodes);
    leftovers.requireThere();
    JsonNode serving = AnswerSchemas.check("grid", grid.hear(LIMIT));
    assertThat(serving.path("nodes")).isEqualTo(nodes);
    assertThat(serving.path("directory").asText()).isEqualTo(leftovers.directory().toString());
    assertThat(serving.path("memoryBytes").asLong()).isEqualTo(64L << 20);

    grid.kill();

    await().atMost(LIMIT).untilAsserted(leftovers::requireGone);
  }

  @Test
  void node_killed_isToldWithItsLog_andTheOthersGoOn() throws Exception {
    ChildProcess grid = grid("--nodes", "2", "--report", report.toString());
    JsonNode nodes = nodes(grid);
    Leftovers leftovers = Leftovers.of(nodes);
    long first = nodes.at("/0/pid").asLong();

    ProcessHandle.of(first).orElseThrow().destroyForcibly();

    await()
        .atMost(LIMIT)
        .untilAsserted(
            () ->
                assertThat(grid.lastLines())
                    .contains(
                        "error: node-1 (process %d) has ended with exit code 137:".formatted(first))
                    .contains("CacheNode: "));
    assertThat(grid.isAlive()).isTrue();
    assertThat(ProcessHandle.of(nodes.at("/1/pid").asLong())).isPresent();

    ProcessHandle.of(nodes.at("/1/pid").asLong()).orElseThrow().destroyForcibly();

    assertThat(grid.awaitEnd(LIMIT)).isTrue();
    assertThat(grid.exitCode()).hasValue(1);
    leftovers.requireGone();
    assertThat(grid.lastLines()).contains("error: no node is left");
  }

  @Test
  @ChecksAnswer("grid")
  void jobs_runOverAllNodes_andTheirReportsStay() throws Exception {
    ChildProcess grid =
        grid(
            "--nodes", "2", "--run", "2", "--epochs", "1", "--json", "--report", report.toString());

    assertThat(grid.awaitEnd(LIMIT)).as(grid.lastLines()).isTrue();

    assertThat(grid.exitCode()).as(grid.lastLines()).hasValue(0);
    Leftovers.of(new JsonMapper().readTree(report.toFile()).path("nodes")).requireGone();
    long loads = 0;
    long samples = 0;
    for (String name : List.of("job-1.json", "job-2.json")) {
      JsonNode epoch = new JsonMapper().readTree(directory.resolve(name).toFile()).at("/epochs/0");
      samples += epoch.path("hits").asLong() + epoch.path("misses").asLong();
      loads += epoch.path("originLoads").asLong();
    }
    assertThat(samples).isEqualTo(2 * 1_437);
    assertThat(AnswerSchemas.check("grid", grid.hear(LIMIT)).path("nodes")).hasSize(2);
    for (String name : List.of("job-1", "job-2")) {
      JsonNode job = AnswerSchemas.check("grid", grid.hear(LIMIT));
      assertThat(job.path("job").asText()).isEqualTo(name);
      assertThat(job.path("originLoads").asLong() + job.path("hits").asLong()).isPositive();
    }
    assertThat(loads).as("samples are loaded once for all jobs").isEqualTo(1_437);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "--nodes 0 | --nodes=0 is outside 1..16",
        "--nodes 17 | --nodes=17 is outside 1..16",
        "--run 0 | --run=0 is outside 1..16",
        "--run 1 --epochs 0 | --epochs=0 is outside 1..10,000",
        "--memory 1g | --memory=1g: write 1GiB",
        "--report /nowhere/r.json | --report=/nowhere/r.json cannot be written; give a file in a folder"
            + " that exists and is writable",
        "--directory /etc | --directory=/etc: the directory /etc is not empty; it is left alone, give"
            + " another one",
      })
  void option_wrong_isRefusedInWords(String options, String problem) {
    List<String> arguments = new ArrayList<>(List.of("grid"));
    arguments.addAll(List.of(options.split(" ", -1)));

    CommandLineRun run = CommandLineRun.of(arguments.toArray(String[]::new));

    assertThat(run.exitCode()).isEqualTo(2);
    assertThat(run.err().lines())
        .containsExactly("error: " + problem, "`training-day grid --help` shows what is there.");
  }

  @Test
  void settings_wrong_areRefusedBeforeANodeStarts() throws IOException {
    Path file = Files.writeString(directory.resolve("bad.yaml"), "grid:\n  port: 80\n");

    CommandLineRun run = CommandLineRun.of("grid", "--config", file.toString());

    assertThat(run.exitCode()).isEqualTo(2);
    assertThat(run.err()).contains("grid.port=80");
  }

  @Test
  void node_thatCannotStart_isToldWithItsLog() throws Exception {
    Path file =
        Files.writeString(
            directory.resolve("tls.yaml"),
            """
            lane:
              tls:
                enabled: true
                certificate: /nowhere/node.pem
                key: /nowhere/node.key
                trust: /nowhere/ca.pem
            """);
    ChildProcess grid = grid("--config", file.toString());

    assertThat(grid.awaitEnd(LIMIT)).isTrue();

    assertThat(grid.exitCode()).hasValue(1);
    assertThat(grid.lastLines())
        .contains("error: node-1 (process ", ") has ended with exit code 1:", "/nowhere/");
  }

  /** What a grid must not leave behind. */
  private record Leftovers(Path directory, Path segments, List<Long> pids) {
    static Leftovers of(JsonNode nodes) throws IOException {
      List<Long> pids = new ArrayList<>();
      nodes.forEach(node -> pids.add(node.path("pid").asLong()));
      Path socket = Path.of(nodes.at("/0/socket").asText());
      Path directory = socket.resolve("../..").normalize();
      Path link = directory.resolve("segments");
      return new Leftovers(
          directory, Files.exists(link) ? Files.readSymbolicLink(link) : directory, pids);
    }

    void requireThere() {
      assertThat(directory).isDirectory();
      assertThat(segments).isDirectory().startsWith(Path.of("/dev/shm"));
      assertThat(pids).allMatch(pid -> ProcessHandle.of(pid).isPresent());
    }

    void requireGone() {
      assertThat(directory).doesNotExist();
      assertThat(segments).doesNotExist();
      assertThat(pids).noneMatch(pid -> ProcessHandle.of(pid).isPresent());
    }
  }
}
