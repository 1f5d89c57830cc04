package io.trainingday.processes;

import io.trainingday.config.SettingKey;
import io.trainingday.config.Settings;
import io.trainingday.config.format.SettingsReader;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.function.BiConsumer;
import java.util.function.Consumer;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/**
 * A grid of cache nodes, each in a process of its own, on this machine. Every node has its own
 * ports, socket, shared memory and host id; node 1 is {@code node-1} on {@code host-1}.
 *
 * <p>Closing it stops the nodes and removes all their files. If this process is killed instead,
 * each node sees the end of its standard input, stops, and the last one removes the files.
 * Thread-safe.
 */
public final class GridProcesses implements AutoCloseable {
  /** The program's own main class, which must not be depended on: it starts grids. */
  private static final String MAIN = "io.trainingday.cli.Main";

  private static final String VERB = "grid-node";
  private static final String CONFIG_VARIABLES = "TRAINING_DAY_CONFIG_";
  private static final Duration START_LIMIT = Duration.ofMinutes(3);
  private static final Duration JOIN_LIMIT = Duration.ofSeconds(60);
  private static final long LOOK_MILLIS = 50;
  private static final Duration STOP_LIMIT = Duration.ofSeconds(30);

  private final Builder plan;
  private final NodePlace.Source places;
  private final GridDirectory directory;
  // Guarded by this.
  private final List<NodeProcess> nodes = new ArrayList<>();
  private int started;
  private boolean closing;

  private GridProcesses(Builder plan, NodePlace.Source places, GridDirectory directory) {
    this.plan = plan;
    this.places = places;
    this.directory = directory;
  }

  /** Prepares a grid whose nodes have these settings, but for what each has of its own. */
  public static Builder builder(Settings settings) {
    return new Builder(settings);
  }

  /** The nodes, in the order of their numbers; one that has ended stays until it is restarted. */
  public synchronized List<NodeProcess> nodes() {
    return List.copyOf(nodes);
  }

  /** Where the nodes' sockets and logs lie. */
  public Path directory() {
    return directory.path();
  }

  /**
   * Starts one more node, which joins the others.
   *
   * @throws ProcessException if it does not start
   */
  public NodeProcess add() throws InterruptedException {
    NodeProcess node;
    synchronized (this) {
      node = launch(++started);
    }
    awaitReady(node);
    return node;
  }

  /**
   * Starts a node that has ended once more, with the same number, host id, ports and socket.
   *
   * @throws ProcessException if it has not ended, or does not start
   */
  public NodeProcess restart(NodeProcess ended) throws InterruptedException {
    NodeProcess node;
    synchronized (this) {
      if (ended.process().isAlive()) {
        throw new ProcessException(ended + " runs; it can be started again after it has ended");
      }
      nodes.remove(ended);
      node = launch(ended.number());
    }
    awaitReady(node);
    return node;
  }

  /**
   * Starts the nodes it was created for, and returns when every one serves and knows all of them.
   *
   * @throws ProcessException if one does not
   */
  public void start() throws InterruptedException {
    // The first one founds the grid, so that the others find one and join it side by side.
    add();
    List<NodeProcess> joining;
    synchronized (this) {
      joining = IntStream.range(1, plan.count).mapToObj(i -> launch(++started)).toList();
    }
    for (NodeProcess node : joining) {
      awaitReady(node);
    }
    for (NodeProcess node : nodes()) {
      awaitMembers(node, plan.count);
    }
  }

  private void awaitMembers(NodeProcess node, int count) throws InterruptedException {
    long deadline = System.nanoTime() + JOIN_LIMIT.toNanos();
    String last;
    do {
      try {
        int known = node.members().members().size();
        if (known == count) {
          return;
        }
        last = "%s knows %d nodes of %d".formatted(node, known, count);
      } catch (IOException unanswered) {
        last = "%s does not answer: %s".formatted(node, unanswered.getMessage());
      }
      TimeUnit.MILLISECONDS.sleep(LOOK_MILLIS);
    } while (node.process().isAlive() && System.nanoTime() - deadline < 0);
    throw new ProcessException(
        "the nodes do not become one grid: " + last + node.process().lastLines());
  }

  private synchronized NodeProcess launch(int number) {
    if (closing) {
      throw new ProcessException("the grid is stopping");
    }
    NodePlace place = places.of(number);
    Path home = directory.node(number);
    Settings settings = settings(number, place, home);
    Map<String, String> environment = new HashMap<>();
    System.getenv().keySet().stream()
        .filter(variable -> variable.startsWith(CONFIG_VARIABLES))
        .forEach(variable -> environment.put(variable, ""));
    environment.putAll(SettingsReader.environment(settings));
    List<String> options = new ArrayList<>(plan.jvmOptions);
    options.add("-Djava.io.tmpdir=" + GridDirectory.temporaryFiles(home));
    String id = "node-" + number;
    ChildProcess process =
        ChildProcess.start(
            id,
            place.launcher(),
            options,
            MAIN,
            List.of(VERB, home.toString()),
            environment,
            GridDirectory.log(home));
    NodeProcess node =
        new NodeProcess(
            number,
            new NodeEndpoints(
                id,
                process.pid(),
                settings.grid().resolvedHostId(),
                settings.lane().resolvedSocket().toString(),
                "tcp://%s:%d".formatted(place.address(), place.lanePort()),
                "http://%s:%d/metrics".formatted(place.address(), place.metricsPort())),
            process);
    nodes.add(node);
    nodes.sort((a, b) -> Integer.compare(a.number(), b.number()));
    return node;
  }

  private Settings settings(int number, NodePlace place, Path home) {
    List<String> grid = new ArrayList<>();
    nodes.stream()
        .filter(node -> node.process().isAlive())
        .forEach(node -> grid.add(places.of(node.number()).discoveryAddress()));
    grid.add(place.discoveryAddress());
    Settings.Builder settings =
        plan.settings.toBuilder()
            .set(SettingKey.GRID_HOST_ID, "host-" + number)
            .set(SettingKey.GRID_LOCAL_ADDRESS, place.address())
            .set(SettingKey.GRID_PORT, place.gridPort())
            .set(SettingKey.GRID_COMMUNICATION_PORT, place.communicationPort())
            .unset(SettingKey.GRID_DISCOVERY_DNS_NAME)
            .set(SettingKey.GRID_DISCOVERY_ADDRESSES, grid)
            .set(SettingKey.LANE_SOCKET, GridDirectory.socket(home))
            .set(SettingKey.LANE_SEGMENT_DIRECTORY, directory.segments())
            .set(SettingKey.LANE_TCP_ENABLED, true)
            .unset(SettingKey.LANE_TCP_ADDRESS)
            .set(SettingKey.LANE_TCP_PORT, place.lanePort())
            .set(SettingKey.METRICS_ENABLED, true)
            .set(SettingKey.METRICS_ADDRESS, place.address())
            .set(SettingKey.METRICS_PORT, place.metricsPort());
    plan.eachNode.accept(number, settings);
    return settings.build();
  }

  private void awaitReady(NodeProcess node) throws InterruptedException {
    node.process().hear(START_LIMIT);
    node.process().onEnd(() -> ended(node));
  }

  private void ended(NodeProcess node) {
    synchronized (this) {
      if (closing) {
        return;
      }
    }
    plan.onEnd.accept(node);
  }

  /**
   * Stops all nodes and removes their files. Safe to call again; also from another thread while the
   * grid starts.
   */
  @Override
  public void close() {
    List<NodeProcess> all;
    synchronized (this) {
      if (closing) {
        return;
      }
      closing = true;
      all = List.copyOf(nodes);
    }
    all.forEach(node -> node.process().askToStop());
    long deadline = System.nanoTime() + STOP_LIMIT.toNanos();
    all.forEach(node -> node.process().endBy(deadline));
    places.close();
    try {
      directory.close();
    } catch (IOException failure) {
      throw new ProcessException(
          "the grid's files in %s cannot be removed: %s".formatted(directory.path(), failure),
          failure);
    }
  }

  /** What a grid is to be. Not thread-safe. */
  public static final class Builder {
    private final Settings settings;
    private int count = 1;
    private List<String> jvmOptions = List.of();
    private @Nullable Path directory;
    private NodePlace.@Nullable Source places;
    private BiConsumer<Integer, Settings.Builder> eachNode = (number, node) -> {};
    private Consumer<NodeProcess> onEnd = node -> {};

    private Builder(Settings settings) {
      this.settings = settings;
    }

    /** How many nodes there are at first; 1 by default. */
    public Builder nodes(int value) {
      if (value < 1) {
        throw new IllegalArgumentException("nodes=%d, allowed: 1 or more".formatted(value));
      }
      count = value;
      return this;
    }

    /** Options of every node's JVM. */
    public Builder jvmOptions(List<String> value) {
      jvmOptions = List.copyOf(value);
      return this;
    }

    /** Where sockets and logs lie; by default a new directory for temporary files. */
    public Builder directory(Path value) {
      directory = value;
      return this;
    }

    /** Where the nodes run and listen; by default at free ports of loopback. */
    public Builder places(NodePlace.Source value) {
      places = value;
      return this;
    }

    /** Changes the settings of single nodes, by number. */
    public Builder eachNode(BiConsumer<Integer, Settings.Builder> value) {
      eachNode = value;
      return this;
    }

    /** Called when a node has ended though nobody closed the grid, on some thread. */
    public Builder onEnd(Consumer<NodeProcess> value) {
      onEnd = value;
      return this;
    }

    /**
     * Makes the grid's directory; {@link GridProcesses#start} starts its nodes.
     *
     * @throws ProcessException if the directory cannot be used
     */
    public GridProcesses create() {
      Path segments = settings.lane().segmentDirectory();
      GridDirectory files =
          directory == null
              ? GridDirectory.temporary(segments)
              : GridDirectory.at(directory, segments);
      return new GridProcesses(this, places == null ? new LoopbackPlaces() : places, files);
    }
  }
}
