package io.trainingday.node;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import io.trainingday.client.TrainingCache;
import io.trainingday.config.DataSize;
import io.trainingday.config.SettingKey;
import io.trainingday.config.Settings;
import io.trainingday.lane.OwnersMessage;
import io.trainingday.processes.GridProcesses;
import io.trainingday.processes.NodePlace;
import io.trainingday.processes.NodeProcess;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.function.BiConsumer;
import java.util.function.LongSupplier;
import java.util.stream.Collectors;

/**
 * A grid of cache nodes for a test, in real processes that can be killed and paused.
 *
 * <pre>{@code
 * try (LocalGrid grid = LocalGrid.of(3).start()) {
 *   grid.kill(grid.node(2));
 *   grid.awaitSettled();
 * }
 * }</pre>
 *
 * <p>Small nodes: 64 MiB, 64 partitions. Whatever is waited for is a condition with a deadline, and
 * when it passes, the message holds what the nodes logged. {@link LocalGridLogs} keeps the logs of
 * a test that failed.
 */
public final class LocalGrid implements AutoCloseable {
  private static final Duration SETTLE_LIMIT = Duration.ofSeconds(60);
  private static final Duration WRITE_LIMIT = Duration.ofSeconds(60);
  private static final Duration STOP_LIMIT = Duration.ofSeconds(30);
  private static final long LOOK_MILLIS = 100;
  private static final Duration SCRAPE_LIMIT = Duration.ofSeconds(10);
  private static final Path LOGS = Path.of("target", "grid-logs");
  private static final List<String> JVM_OPTIONS =
      List.of(
          "-Xmx384m",
          "-XX:MaxDirectMemorySize=256m",
          "-XX:+UseSerialGC",
          "-XX:TieredStopAtLevel=1",
          // Starts take a sixth less of a processor when what the compiler made is not looked
          // through.
          "-XX:+UnlockDiagnosticVMOptions",
          "-XX:-BytecodeVerificationRemote");

  private final GridProcesses processes;
  private final Set<NodeProcess> paused = ConcurrentHashMap.newKeySet();

  private LocalGrid(GridProcesses processes) {
    this.processes = processes;
  }

  /** Prepares a grid of so many nodes. */
  public static Builder of(int nodes) {
    return new Builder(nodes);
  }

  /** The nodes in the order of their first start; one that has ended stays until its restart. */
  public List<NodeProcess> nodes() {
    return processes.nodes();
  }

  /** The {@code i}-th node, from 0. */
  public NodeProcess node(int i) {
    return nodes().get(i);
  }

  /** Where the nodes' files lie; gone after {@link #close}. */
  public Path directory() {
    return processes.directory();
  }

  /** The nodes that run and are not paused. */
  public List<NodeProcess> living() {
    return nodes().stream()
        .filter(node -> node.process().isAlive() && !paused.contains(node))
        .toList();
  }

  /** Sends SIGKILL; returns when the process is gone. */
  public void kill(NodeProcess node) {
    node.process().kill();
    paused.remove(node);
  }

  /** Stops a node in order; returns when the process is gone. */
  public void stop(NodeProcess node) throws InterruptedException {
    node.process().askToStop();
    if (!node.process().awaitEnd(STOP_LIMIT)) {
      throw new AssertionError(node + " does not stop" + node.process().lastLines());
    }
  }

  /** Sends SIGSTOP; returns when the process runs no more. */
  public void pause(NodeProcess node) throws IOException, InterruptedException {
    paused.add(node);
    signal(node, "STOP", true);
  }

  /** Sends SIGCONT; returns when the process runs again. */
  public void resume(NodeProcess node) throws IOException, InterruptedException {
    signal(node, "CONT", false);
    paused.remove(node);
  }

  private static void signal(NodeProcess node, String signal, boolean stopped)
      throws IOException, InterruptedException {
    long pid = node.process().pid();
    Tool.run("kill", "-" + signal, Long.toString(pid));
    Path stat = Path.of("/proc", Long.toString(pid), "stat");
    long deadline = System.nanoTime() + STOP_LIMIT.toNanos();
    // The state is the letter behind the name, which is in brackets.
    while (Files.readString(stat).replaceFirst("(?s).*\\) ", "").startsWith("T") != stopped) {
      if (System.nanoTime() - deadline > 0) {
        throw new AssertionError(node + " does not heed SIG" + signal);
      }
      TimeUnit.MILLISECONDS.sleep(1);
    }
  }

  /** Starts one more node, which joins. */
  public NodeProcess add() throws InterruptedException {
    return processes.add();
  }

  /** Starts a node again that has ended, at the same ports and socket, as the same host. */
  public NodeProcess restart(NodeProcess ended) throws InterruptedException {
    return processes.restart(ended);
  }

  /** What a node says of itself, asked over its Unix socket. */
  public JsonNode status(NodeProcess node) {
    try (TrainingCache cache = connect(node)) {
      return new JsonMapper().readTree(cache.nodeStatus());
    } catch (IOException noJson) {
      throw new UncheckedIOException(noJson);
    }
  }

  /** A trainer's connection to a node on its own host. */
  public TrainingCache connect(NodeProcess node) {
    return TrainingCache.connect(
        TrainingCache.Config.builder().address("unix:" + node.endpoints().socket()).build());
  }

  /** A trainer's connection to a node over TCP. */
  public TrainingCache connectTcp(NodeProcess node) {
    return TrainingCache.connect(
        TrainingCache.Config.builder().address(node.endpoints().tcp()).build());
  }

  /**
   * A metric of a node, summed over all its series that have these labels.
   *
   * @param labels each {@code name="value"}
   */
  public double metric(NodeProcess node, String name, String... labels)
      throws IOException, InterruptedException {
    return scrape(node)
        .lines()
        .filter(line -> line.startsWith(name + "{") || line.startsWith(name + " "))
        .filter(line -> List.of(labels).stream().allMatch(line::contains))
        .mapToDouble(line -> Double.parseDouble(line.substring(line.lastIndexOf(' ') + 1)))
        .sum();
  }

  private static String scrape(NodeProcess node) throws IOException, InterruptedException {
    HttpRequest request =
        HttpRequest.newBuilder(URI.create(node.endpoints().metrics()))
            .timeout(SCRAPE_LIMIT)
            .build();
    HttpResponse<String> response =
        HttpClient.newHttpClient().send(request, HttpResponse.BodyHandlers.ofString());
    if (response.statusCode() != 200) {
      throw new AssertionError(node + " answers a scrape with " + response);
    }
    return response.body();
  }

  /**
   * Waits until the living nodes know of each other and of no one else, and agree on who holds
   * what.
   */
  public void awaitSettled() throws InterruptedException {
    awaitThat("the grid settles", SETTLE_LIMIT, this::notSettled);
  }

  private String notSettled() throws IOException {
    List<NodeProcess> living = living();
    List<Long> versions = new ArrayList<>();
    for (NodeProcess node : living) {
      OwnersMessage.Reply owners = node.members();
      if (owners.members().size() != living.size()) {
        return "%s knows %s".formatted(node, owners.members());
      }
      versions.add(owners.topologyVersion());
    }
    return versions.stream().distinct().count() == 1 ? "" : "topology versions " + versions;
  }

  /** Waits until the living nodes have written, or passed on, every fill that they took. */
  public void awaitWritten() throws InterruptedException {
    awaitThat(
        "everything that was taken is written",
        WRITE_LIMIT,
        () -> {
          for (NodeProcess node : living()) {
            double left = metric(node, "training_day_fill_inflight_bytes");
            if (left > 0) {
              return node + " has yet to write " + left;
            }
          }
          return "";
        });
  }

  /**
   * Waits for a condition.
   *
   * @param obstacle what stands against it now, empty when nothing does
   */
  public void awaitThat(String what, Duration limit, Obstacle obstacle)
      throws InterruptedException {
    long deadline = System.nanoTime() + limit.toNanos();
    String against;
    while (true) {
      try {
        against = obstacle.now();
      } catch (IOException | RuntimeException failure) {
        against = failure.toString();
      }
      if (against.isEmpty()) {
        return;
      }
      if (System.nanoTime() - deadline > 0) {
        throw new AssertionError(
            "not within %d s: %s: %s%n%s".formatted(limit.toSeconds(), what, against, logs()));
      }
      TimeUnit.MILLISECONDS.sleep(LOOK_MILLIS);
    }
  }

  /** What stands against a condition. */
  public interface Obstacle {
    String now() throws IOException, InterruptedException;
  }

  /** What all nodes logged last. */
  public String logs() {
    return nodes().stream()
        .map(node -> node + node.process().lastLines())
        .collect(Collectors.joining("\n"));
  }

  @Override
  public void close() {
    try {
      keepLogs();
    } catch (IOException failure) {
      throw new UncheckedIOException(failure);
    } finally {
      paused.forEach(this::kill);
      processes.close();
    }
  }

  private void keepLogs() throws IOException {
    Path kept = Files.createTempDirectory(Files.createDirectories(LOGS), "grid-");
    for (NodeProcess node : nodes()) {
      Path log = node.process().log();
      if (Files.exists(log)) {
        Files.copy(log, kept.resolve(node + ".log"), StandardCopyOption.REPLACE_EXISTING);
      }
    }
    LocalGridLogs.add(kept);
  }

  /** What a grid is to be; what is set later goes over what was set before. */
  public static final class Builder {
    private final int nodes;
    private final Settings.Builder settings =
        Settings.builder()
            .set(SettingKey.GRID_PARTITIONS, 64)
            .set(SettingKey.MEMORY_MAX_SIZE, DataSize.ofMiB(64))
            .set(SettingKey.LANE_MAX_RECORD_SIZE, DataSize.ofMiB(8))
            .set(SettingKey.FILL_MAX_IN_FLIGHT, DataSize.ofMiB(64))
            .set(SettingKey.GRID_FAILURE_DETECTION_TIMEOUT, Duration.ofSeconds(5));
    private BiConsumer<Integer, Settings.Builder> eachNode = (number, node) -> {};
    private List<String> jvmOptions = JVM_OPTIONS;
    private Optional<NodePlace.Source> places = Optional.empty();
    private Optional<LongSupplier> offsets = Optional.empty();

    private Builder(int nodes) {
      this.nodes = nodes;
    }

    /** Sets a value of all nodes. */
    public <T> Builder set(SettingKey<Settings, T> key, T value) {
      settings.unset(key).set(key, value);
      return this;
    }

    /** Sets a value of one data set, on all nodes. */
    public <T> Builder setDataset(String dataset, SettingKey<Settings.Dataset, T> key, T value) {
      settings.setDataset(dataset, key, value);
      return this;
    }

    /** Changes the settings of single nodes, by number from 1. */
    public Builder eachNode(BiConsumer<Integer, Settings.Builder> change) {
      eachNode = change;
      return this;
    }

    /** One more option of every node's JVM, over ours. */
    public Builder jvmOption(String option) {
      List<String> all = new ArrayList<>(jvmOptions);
      all.add(option);
      jvmOptions = all;
      return this;
    }

    /** Where the nodes run, such as in network namespaces; by default at loopback. */
    public Builder places(NodePlace.Source value) {
      places = Optional.of(value);
      return this;
    }

    /**
     * Starts all nodes at the same moment, each so many milliseconds later; by default the first
     * one founds the grid before the others start. Their numbers do not tell who founds it.
     */
    public Builder sideBySide(LongSupplier offsetMillis) {
      offsets = Optional.of(offsetMillis);
      return this;
    }

    /** Starts it and returns when it has settled. */
    public LocalGrid start() throws InterruptedException {
      GridProcesses.Builder plan =
          GridProcesses.builder(settings.build())
              .nodes(nodes)
              .jvmOptions(jvmOptions)
              .eachNode(eachNode);
      places.ifPresent(plan::places);
      LocalGrid grid = new LocalGrid(plan.create());
      try {
        if (offsets.isPresent()) {
          startSideBySide(grid.processes, offsets.get());
        } else {
          grid.processes.start();
        }
        grid.awaitSettled();
        return grid;
      } catch (Throwable failure) {
        grid.close();
        throw failure;
      }
    }

    private void startSideBySide(GridProcesses processes, LongSupplier offsetMillis)
        throws InterruptedException {
      ScheduledExecutorService starts = Executors.newScheduledThreadPool(nodes);
      try {
        List<Future<NodeProcess>> started = new ArrayList<>();
        for (int i = 0; i < nodes; i++) {
          started.add(
              starts.schedule(processes::add, offsetMillis.getAsLong(), TimeUnit.MILLISECONDS));
        }
        for (Future<NodeProcess> start : started) {
          start.get();
        }
      } catch (ExecutionException failure) {
        throw new AssertionError("a node does not start", failure.getCause());
      } finally {
        starts.shutdownNow();
      }
    }
  }
}
