package io.trainingday.node.metrics;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import io.trainingday.node.capacity.Refusal;
import io.trainingday.node.fill.FillStats;
import io.trainingday.node.latency.Latency;
import io.trainingday.node.reload.ReloadStats;
import java.io.IOException;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

final class MetricsServerTest {
  private static final NodeStats STATS =
      new NodeStats(
          "1.2.3",
          "host-a",
          90_500,
          "",
          new ReloadStats(
              new ReloadStats.Source(3, 1, "file: 1 problem", 2_500),
              new ReloadStats.Source(2, 0, "", 0),
              new ReloadStats.Source(5, 0, "", 0),
              new ReloadStats.Source(0, 6, "", 0),
              List.of("memory.maxSize", "grid.port"),
              List.of("datasets.pets.backups=1")),
          Map.of("lane", 1_800_000_000L),
          new NodeStats.Grid(
              77,
              List.of("a", "b"),
              64,
              32,
              21,
              22,
              23,
              24,
              25,
              26,
              Map.of("certificate_expired", 27L)),
          new NodeStats.Memory(1_000_000, 2_147_483_648L, 67_108_864, 2_000_000_000, ""),
          NodeStats.Disk.NONE,
          new NodeStats.Lane(
              3,
              1_024,
              4_096,
              1_073_741_824,
              20,
              5_000_000_000L,
              2,
              Map.of("token", 7L),
              List.of(new NodeStats.Tenant("default", 3, 4_096))),
          new NodeStats.Peers(11, 12, 15, 13, 14, 16, 17, 18),
          new NodeStats.Fills(
              Map.of("written", 1_437L, "busy", 4L),
              123,
              45,
              268_435_456,
              6,
              Map.of("expired", 9L)),
          List.of(
              new NodeStats.Dataset(
                  "default",
                  "pets \"all\"",
                  "host-a",
                  "memory",
                  "lru",
                  2,
                  new NodeStats.Source(10, 1_505_280, 5),
                  new NodeStats.Source(7, 1_053_696, 6),
                  8,
                  9,
                  1,
                  16,
                  700,
                  2_867_200,
                  5_734_400,
                  0.15,
                  0.5,
                  0.002,
                  null,
                  Map.of("budget", 3L),
                  12,
                  List.of(),
                  new NodeStats.Source(4, 602_112, 0),
                  new NodeStats.Trainers(1.5, 6, 2.5, 5, 8, 0.25, 0.75))));

  private final Node node = new Node();
  private final HttpClient client = HttpClient.newHttpClient();
  private MetricsServer server;

  @BeforeEach
  void start() throws IOException {
    server = MetricsServer.start("127.0.0.1", 0, node);
  }

  @AfterEach
  void stop() {
    server.close();
  }

  @Test
  void metrics_areTheFiguresOfTheNode() throws Exception {
    assertThat(get("/metrics").body().lines())
        .contains(
            "training_day_build_info{version=\"1.2.3\",host_id=\"host-a\",} 1.0",
            "training_day_ready 1.0",
            "training_day_uptime_seconds 90.5",
            "training_day_settings_reloads_total{file=\"settings\",result=\"applied\",} 3.0",
            "training_day_settings_reloads_total{file=\"settings\",result=\"refused\",} 1.0",
            "training_day_settings_reloads_total{file=\"tokens\",result=\"applied\",} 2.0",
            "training_day_settings_reloads_total{file=\"lane_tls\",result=\"applied\",} 5.0",
            "training_day_settings_reloads_total{file=\"grid_tls\",result=\"refused\",} 6.0",
            "training_day_certificate_expiry_timestamp_seconds{port=\"lane\",} 1.8E9",
            "training_day_settings_refused_seconds{file=\"settings\",} 2.5",
            "training_day_settings_refused_seconds{file=\"tokens\",} 0.0",
            "training_day_settings_awaiting_restart 2.0",
            "training_day_settings_not_in_force 1.0",
            "training_day_grid_nodes 2.0",
            "training_day_topology_version 77.0",
            "training_day_primary_partitions 32.0",
            "training_day_arriving_partitions 21.0",
            "training_day_rebalanced_records_total 22.0",
            "training_day_rebalanced_bytes_total 23.0",
            "training_day_rebalance_dropped_records_total 24.0",
            "training_day_reclaimed_records_total 25.0",
            "training_day_reclaimed_bytes_total 26.0",
            "training_day_grid_refusals_total{reason=\"certificate_expired\",} 27.0",
            "training_day_memory_used_bytes 1000000.0",
            "training_day_memory_max_bytes 2.147483648E9",
            "training_day_memory_headroom_bytes 6.7108864E7",
            "training_day_admission_open 1.0",
            "training_day_lane_connections 3.0",
            "training_day_lane_max_connections 1024.0",
            "training_day_slots_bytes 4096.0",
            "training_day_slots_max_bytes 1.073741824E9",
            "training_day_batch_seconds_bucket{source=\"peer\",le=\"0.0025\",} 1.0",
            "training_day_batch_seconds_bucket{source=\"peer\",le=\"0.005\",} 2.0",
            "training_day_batch_seconds_bucket{source=\"peer\",le=\"+Inf\",} 3.0",
            "training_day_batch_seconds_count{source=\"peer\",} 3.0",
            "training_day_batch_seconds_sum{source=\"peer\",} 20.0065",
            "training_day_fill_seconds_bucket{le=\"5.0E-5\",} 0.0",
            "training_day_fill_seconds_bucket{le=\"10.0\",} 2.0",
            "training_day_fill_seconds_count 3.0",
            "training_day_peer_read_seconds_count 0.0",
            "training_day_publish_seconds_sum 0.0",
            "training_day_trainer_wait_seconds_total{dataset=\"pets \\\"all\\\"\",where=\"loop\",}"
                + " 1.5",
            "training_day_trainer_wait_seconds_total{dataset=\"pets \\\"all\\\"\",where=\"worker\",}"
                + " 2.5",
            "training_day_trainer_seconds_total{dataset=\"pets \\\"all\\\"\",where=\"loop\",} 6.0",
            "training_day_origin_load_seconds_count{dataset=\"pets \\\"all\\\"\",} 8.0",
            "training_day_origin_load_seconds_sum{dataset=\"pets \\\"all\\\"\",} 0.25",
            "training_day_saved_load_seconds_total{dataset=\"pets \\\"all\\\"\",} 0.75",
            "training_day_tenant_datasets{tenant=\"default\",} 1.0",
            "training_day_tenant_bytes{tenant=\"default\",} 2867200.0",
            "training_day_tenant_saved_load_seconds_total{tenant=\"default\",} 0.75",
            "training_day_tenant_connections{tenant=\"default\",} 3.0",
            "training_day_tenant_slots_bytes{tenant=\"default\",} 4096.0",
            "training_day_reads_total{dataset=\"pets \\\"all\\\"\",source=\"disk\",result=\"hit\",}"
                + " 4.0",
            "training_day_read_bytes_total{dataset=\"pets \\\"all\\\"\",source=\"disk\",}"
                + " 602112.0",
            "training_day_inline_batches_total 2.0",
            "training_day_damaged_records_total{dataset=\"pets \\\"all\\\"\",} 1.0",
            "training_day_stale_records_total{dataset=\"pets \\\"all\\\"\",} 16.0",
            "training_day_lane_refusals_total{reason=\"token\",} 7.0",
            "training_day_fills_total{result=\"busy\",} 4.0",
            "training_day_fills_total{result=\"written\",} 1437.0",
            "training_day_fill_written_bytes_total 123.0",
            "training_day_fill_inflight_bytes 45.0",
            "training_day_fill_max_inflight_bytes 2.68435456E8",
            "training_day_leases 6.0",
            "training_day_leases_ended_total{result=\"expired\",} 9.0",
            "training_day_reads_total{dataset=\"pets \\\"all\\\"\",source=\"local\",result=\"hit\",}"
                + " 6.0",
            "training_day_reads_total{dataset=\"pets \\\"all\\\"\",source=\"local\",result=\"miss\",}"
                + " 5.0",
            "training_day_read_bytes_total{dataset=\"pets \\\"all\\\"\",source=\"local\",}"
                + " 903168.0",
            "training_day_reads_total{dataset=\"pets \\\"all\\\"\",source=\"peer\",result=\"hit\",}"
                + " 7.0",
            "training_day_reads_total{dataset=\"pets \\\"all\\\"\",source=\"peer\",result=\"miss\",}"
                + " 6.0",
            "training_day_reads_total{dataset=\"pets \\\"all\\\"\",source=\"origin\",result=\"hit\",}"
                + " 8.0",
            "training_day_reads_total{dataset=\"pets \\\"all\\\"\",source=\"origin\",result=\"miss\",}"
                + " 9.0",
            "training_day_read_bytes_total{dataset=\"pets \\\"all\\\"\",source=\"peer\",}"
                + " 1053696.0",
            "training_day_peer_samples_served_total 11.0",
            "training_day_peer_damaged_records_total 12.0",
            "training_day_peer_stale_records_total 15.0",
            "training_day_peer_connections_broken_total 13.0",
            "training_day_peer_late_leases_total 14.0",
            "training_day_peer_reads_told_total 16.0",
            "training_day_peer_reads_untold_total 17.0",
            "training_day_peer_reads_heard_total 18.0",
            "training_day_dataset_generation{dataset=\"pets \\\"all\\\"\",} 2.0");
  }

  @Test
  void metrics_keepTheTextFormatAndTheNamingRules() throws Exception {
    HttpResponse<String> response = get("/metrics");

    assertThat(response.headers().firstValue("Content-Type"))
        .hasValue("text/plain; version=0.0.4; charset=utf-8");
    Map<String, String> types = TextFormatReader.read(response.body());
    assertThat(types).containsEntry("jvm_threads_current", "gauge");
    assertThat(types.entrySet().stream().filter(e -> e.getKey().startsWith("training_day_")))
        .hasSizeGreaterThan(20)
        .allSatisfy(
            family -> {
              assertThat(family.getKey()).matches("[a-z][a-z0-9]*(_[a-z0-9]+)*");
              assertThat(family.getKey().endsWith("_total"))
                  .as("only counters end in _total: %s", family)
                  .isEqualTo(family.getValue().equals("counter"));
              assertThat(family.getKey()).doesNotContainPattern("_(ms|millis|nanos|kb|mb|mib)\\b");
            });
  }

  @Test
  void metrics_askedForOpenMetrics_answerInIt() throws Exception {
    HttpResponse<String> response =
        send(request("/metrics").header("Accept", "application/openmetrics-text; version=1.0.0"));

    assertThat(response.headers().firstValue("Content-Type"))
        .hasValue("application/openmetrics-text; version=1.0.0; charset=utf-8");
    assertThat(response.body())
        .contains("# TYPE training_day_fills counter\n")
        .contains("training_day_fills_total{result=\"busy\"} 4.0\n")
        .endsWith("# EOF\n");
  }

  @Test
  void metrics_nodeThatFails_is500WithTheReason() throws Exception {
    node.onAsk = () -> fail("grid\nis gone");

    HttpResponse<String> response = get("/metrics");

    assertThat(response.statusCode()).isEqualTo(500);
    assertThat(response.body())
        .isEqualTo("could not collect metrics: java.lang.IllegalStateException: grid is gone\n");
  }

  @ParameterizedTest
  @ValueSource(strings = {"/live", "/ready"})
  void probe_nothingWrong_is200(String path) throws Exception {
    HttpResponse<String> response = get(path);

    assertThat(response.statusCode()).isEqualTo(200);
    assertThat(response.body()).isEqualTo("ok\n");
  }

  @Test
  void probe_somethingWrong_is503WithTheReasonInOneLine() throws Exception {
    node.notReady = Optional.of("stopping:\nlane is drained");

    HttpResponse<String> ready = get("/ready");

    assertThat(ready.statusCode()).isEqualTo(503);
    assertThat(ready.body()).isEqualTo("stopping: lane is drained\n");
    assertThat(get("/live").statusCode()).isEqualTo(200);
  }

  @Test
  void probe_nodeThatFails_is503() throws Exception {
    node.onAsk = () -> fail("no grid");

    assertThat(get("/live").statusCode()).isEqualTo(503);
    assertThat(get("/live").body()).isEqualTo("java.lang.IllegalStateException: no grid\n");
  }

  @ParameterizedTest
  @ValueSource(strings = {"/", "/metrics/", "/livez", "/metrics/../ready"})
  void path_unknown_is404(String path) throws Exception {
    assertThat(get(path).statusCode()).isEqualTo(404);
  }

  @Test
  void method_thatChangesSomething_isRefused() throws Exception {
    HttpResponse<String> response =
        send(request("/ready").POST(HttpRequest.BodyPublishers.ofString("x")));

    assertThat(response.statusCode()).isEqualTo(405);
    assertThat(response.headers().firstValue("Allow")).hasValue("GET, HEAD");
  }

  @Test
  void head_hasNoBody() throws Exception {
    HttpResponse<String> response =
        send(request("/ready").method("HEAD", HttpRequest.BodyPublishers.noBody()));

    assertThat(response.statusCode()).isEqualTo(200);
    assertThat(response.body()).isEmpty();
  }

  @Test
  void clients_thatSendHalfARequest_doNotStopOthersForGood() throws Exception {
    try (Socket first = halfRequest();
        Socket second = halfRequest();
        Socket third = halfRequest()) {
      assertThat(get("/ready").statusCode()).isEqualTo(200);
      assertThat(List.of(first, second, third)).noneMatch(Socket::isClosed);
    }
  }

  @Test
  void port_inUse_isRefusedInWords() throws Exception {
    try (ServerSocket other = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
      int port = other.getLocalPort();

      assertThatThrownBy(() -> MetricsServer.start("127.0.0.1", port, node).close())
          .isInstanceOf(IOException.class)
          .hasMessage(
              "metrics.port=%d cannot be listened on at metrics.address=127.0.0.1 (Address already"
                  + " in use); set another port, 0 for any free one, or metrics.enabled to false",
              port);
    }
  }

  @Test
  void close_freesThePort() throws Exception {
    int port = server.port();
    server.close();

    try (MetricsServer again = MetricsServer.start("127.0.0.1", port, node)) {
      assertThat(again.port()).isEqualTo(port);
    }
  }

  @Test
  void json_hasTheFiguresUnderTheirNames() throws Exception {
    JsonNode json = new JsonMapper().readTree(STATS.toJson());

    assertThat(json.at("/version").asText()).isEqualTo("1.2.3");
    assertThat(json.at("/memory/maxBytes").asLong()).isEqualTo(2_147_483_648L);
    assertThat(json.at("/lane/inlineBatches").asLong()).isEqualTo(2);
    assertThat(json.at("/fills/results/written").asLong()).isEqualTo(1_437);
    assertThat(json.at("/datasets/0/name").asText()).isEqualTo("pets \"all\"");
    assertThat(STATS.toJson()).doesNotContain("\n");
  }

  @Test
  void fills_areNamedByWhatBecameOfThem() {
    FillStats stats =
        new FillStats(
            1,
            2,
            3,
            Map.of(Refusal.BUDGET, 4L, Refusal.COPY_BUDGET, 20L),
            5,
            6,
            7,
            8,
            9,
            10,
            11,
            12,
            13,
            14,
            15,
            16,
            17,
            18,
            19,
            20,
            21);

    NodeStats.Fills fills = NodeStats.Fills.of(stats, 100, 20, 21);

    assertThat(fills.results())
        .containsOnly(
            Map.entry("written", 5L),
            Map.entry("already_stored", 7L),
            Map.entry("repeated", 2L),
            Map.entry("busy", 3L),
            Map.entry("refused_budget", 4L),
            Map.entry("refused_copy_budget", 20L),
            Map.entry("failed", 8L),
            Map.entry("dropped", 9L),
            Map.entry("copies_written", 18L),
            Map.entry("copies_dropped", 19L),
            Map.entry("forwarded", 20L),
            Map.entry("forward_dropped", 21L));
    assertThat(fills.leasesEnded())
        .containsOnly(Map.entry("expired", 11L), Map.entry("released", 12L));
    assertThat(List.of(fills.writtenBytes(), fills.leases(), fills.inFlightBytes()))
        .containsExactly(6L, 20L, 21L);
    assertThat(fills.maxInFlightBytes()).isEqualTo(100);
  }

  private static void fail(String message) {
    throw new IllegalStateException(message);
  }

  private Socket halfRequest() throws IOException {
    Socket socket = new Socket(InetAddress.getLoopbackAddress(), server.port());
    OutputStream out = socket.getOutputStream();
    out.write("GET /rea".getBytes(StandardCharsets.US_ASCII));
    out.flush();
    return socket;
  }

  private HttpRequest.Builder request(String path) {
    return HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + server.port() + path));
  }

  private HttpResponse<String> get(String path) throws IOException, InterruptedException {
    return send(request(path));
  }

  private HttpResponse<String> send(HttpRequest.Builder request)
      throws IOException, InterruptedException {
    return client.send(request.build(), HttpResponse.BodyHandlers.ofString());
  }

  /** Reads the text format strictly: every sample belongs to the family announced before it. */
  private static final class TextFormatReader {
    private static final Pattern SAMPLE =
        Pattern.compile(
            "([a-zA-Z_:][a-zA-Z0-9_:]*)(\\{(?:[a-zA-Z_][a-zA-Z0-9_]*=\"(?:[^\"\\\\\\n]|\\\\.)*\",?)*\\})?"
                + " (NaN|[+-]Inf|[-+0-9.E]+)");

    static Map<String, String> read(String text) {
      Map<String, String> types = new TreeMap<>();
      Set<String> samples = new HashSet<>();
      String family = "";
      for (String line : text.split("\n", -1)) {
        if (line.startsWith("# HELP ")) {
          family = line.split(" ", 4)[2];
          assertThat(line.split(" ", 4)[3]).isNotBlank();
        } else if (line.startsWith("# TYPE ")) {
          assertThat(line.split(" ", -1)[2]).isEqualTo(family);
          assertThat(types.put(family, line.split(" ", -1)[3])).as("announced twice").isNull();
        } else if (!line.isEmpty()) {
          Matcher sample = SAMPLE.matcher(line);
          assertThat(sample.matches()).as(line).isTrue();
          assertThat(sample.group(1)).startsWith(family);
          assertThat(samples.add(sample.group(1) + sample.group(2))).as("twice: " + line).isTrue();
        }
      }
      return types;
    }
  }

  private static final class Node implements ObservedNode {
    private volatile Optional<String> notReady = Optional.empty();
    private volatile Runnable onAsk = () -> {};

    @Override
    public NodeStats stats() {
      onAsk.run();
      return STATS;
    }

    @Override
    public NodeLatencies latencies() {
      Latency slow = new Latency();
      slow.count(2_500_000);
      slow.count(4_000_000);
      slow.count(20_000_000_000L);
      Latency.Snapshot none = new Latency().snapshot();
      return new NodeLatencies(Map.of("peer", slow.snapshot()), slow.snapshot(), none, none);
    }

    @Override
    public Optional<String> notLive() {
      onAsk.run();
      return Optional.empty();
    }

    @Override
    public Optional<String> notReady() {
      return notReady;
    }
  }
}
