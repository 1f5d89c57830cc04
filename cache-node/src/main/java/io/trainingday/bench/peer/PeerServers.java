package io.trainingday.bench.peer;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.type.TypeReference;
import com.fasterxml.jackson.databind.json.JsonMapper;
import io.trainingday.bench.client.LanePath;
import io.trainingday.bench.client.RedisPath;
import io.trainingday.bench.measure.OpenPaths;
import io.trainingday.bench.path.BenchException;
import io.trainingday.bench.path.BufferedPath.Target;
import io.trainingday.bench.path.ReadPath;
import io.trainingday.bench.path.Workload;
import io.trainingday.client.ReadShape;
import io.trainingday.config.DataSize;
import io.trainingday.processes.ChildProcess;
import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.stream.Stream;

/**
 * Both sides of {@code bench peer}: the other process, which holds all samples, and the nodes here
 * that read from it. Kept over all sizes of samples, so that both sides stay warm.
 */
final class PeerServers implements AutoCloseable {
  /** For the partitions that are this side's; the smallest there is. */
  private static final DataSize OWN_MEMORY = DataSize.ofMiB(64);

  private static final Duration START_LIMIT = Duration.ofMinutes(2);
  private static final Duration STOP_LIMIT = Duration.ofSeconds(30);

  private final OpenPaths started = new OpenPaths();
  private final Map<PeerPath, String> addresses = new EnumMap<>(PeerPath.class);
  private final Map<PeerPath, PeerNode> nodes = new EnumMap<>(PeerPath.class);
  private Optional<PeerIgnite> ignite = Optional.empty();
  private Optional<PeerHazelcast> hazelcast = Optional.empty();

  private PeerServers() {}

  /**
   * Starts what the paths need.
   *
   * @param memory for the samples of all workloads together, in each server
   * @param jvmOptions of the other process
   */
  static PeerServers start(List<PeerPath> kinds, DataSize memory, List<String> jvmOptions)
      throws InterruptedException {
    PeerServers servers = new PeerServers();
    try {
      Path directory = servers.temporaryDirectory();
      if (kinds.contains(PeerPath.LANE_TLS)) {
        Tls.create(directory);
      }
      servers.startOwner(kinds, memory, jvmOptions, directory);
      for (PeerPath kind : kinds) {
        servers.join(kind, directory);
      }
      return servers;
    } catch (RuntimeException | InterruptedException failure) {
      servers.close();
      throw failure;
    }
  }

  private Path temporaryDirectory() {
    try {
      Path directory = Files.createTempDirectory("training-day-bench");
      started.closing(() -> delete(directory));
      return directory;
    } catch (IOException failure) {
      throw new BenchException("no temporary directory: " + failure.getMessage(), failure);
    }
  }

  private static void delete(Path directory) throws IOException {
    try (Stream<Path> files = Files.walk(directory)) {
      files.sorted(Comparator.reverseOrder()).map(Path::toFile).forEach(File::delete);
    }
  }

  private void startOwner(
      List<PeerPath> kinds, DataSize memory, List<String> jvmOptions, Path directory)
      throws InterruptedException {
    List<String> arguments = new ArrayList<>();
    arguments.add(directory.toString());
    arguments.add(Long.toString(memory.bytes()));
    kinds.forEach(kind -> arguments.add(kind.name()));
    ChildProcess owner =
        ChildProcess.start(
            "the other process",
            List.of(),
            jvmOptions,
            PeerOwner.class.getName(),
            arguments,
            Map.of(),
            directory.resolve("owner.log"));
    started.closing(
        () -> {
          owner.askToStop();
          if (!owner.awaitEnd(STOP_LIMIT)) {
            owner.kill();
          }
        });
    String line = owner.hear(START_LIMIT);
    try {
      addresses.putAll(
          new JsonMapper().readValue(line, new TypeReference<Map<PeerPath, String>>() {}));
    } catch (JsonProcessingException broken) {
      throw new BenchException("the other process says " + line, broken);
    }
  }

  /** Starts this side of a path. */
  private void join(PeerPath kind, Path directory) {
    Optional<String> other = Optional.ofNullable(addresses.get(kind));
    switch (kind) {
      case LANE_TCP, LANE_TLS ->
          nodes.put(
              kind,
              started.closing(
                  PeerNode.launch(
                      "reader-of-" + kind, directory, kind.tls(directory), OWN_MEMORY, other)));
      case IGNITE_GET_ALL ->
          ignite = Optional.of(started.closing(PeerIgnite.start(false, OWN_MEMORY, other)));
      case HAZELCAST_GET_ALL ->
          hazelcast = Optional.of(started.closing(PeerHazelcast.start(other)));
      case RAW_TCP, REDIS_MGET -> {
        // Clients by themselves.
      }
    }
  }

  /** Opens the paths, loaded; closing them leaves the servers as they are. */
  OpenPaths open(List<PeerPath> kinds, Workload workload, int maxBatch) {
    OpenPaths open = new OpenPaths();
    Target target = new Target(workload.sampleBytes(), maxBatch);
    try {
      for (PeerPath kind : kinds) {
        open.add(kind.toString(), path(kind, workload, target));
      }
      for (PeerNode node : nodes.values()) {
        node.awaitPassedOn();
        open.closing(node::requireAllRemote);
      }
      return open;
    } catch (RuntimeException failure) {
      open.close();
      throw failure;
    }
  }

  private ReadPath path(PeerPath kind, Workload workload, Target target) {
    return switch (kind) {
      case RAW_TCP ->
          new RawTcpPath(
              Integer.parseInt(Objects.requireNonNull(addresses.get(kind))), workload, target);
      case LANE_TCP, LANE_TLS -> {
        String address = Objects.requireNonNull(nodes.get(kind)).address();
        yield new LanePath(
            address, workload, RemoteIndices.find(address, workload.count()), ReadShape.COLLATED);
      }
      case IGNITE_GET_ALL -> ignite.orElseThrow().getAll(workload, target);
      case REDIS_MGET -> RedisPath.start(workload, target);
      case HAZELCAST_GET_ALL -> hazelcast.orElseThrow().getAll(workload, target);
    };
  }

  @Override
  public void close() {
    started.close();
  }
}
