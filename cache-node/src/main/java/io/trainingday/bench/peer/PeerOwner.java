package io.trainingday.bench.peer;

import com.fasterxml.jackson.databind.json.JsonMapper;
import io.trainingday.bench.measure.OpenPaths;
import io.trainingday.config.DataSize;
import io.trainingday.processes.ParentPipe;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CountDownLatch;

/**
 * The other process of {@code bench peer}: whatever holds samples for the paths that are measured.
 * Prints one line when all of it serves, where each is reached, and ends when its standard input
 * does.
 */
public final class PeerOwner {
  private PeerOwner() {}

  /**
   * Runs it.
   *
   * @param arguments a directory for sockets, with certificates in it; bytes of memory for samples;
   *     names of paths
   */
  public static void main(String[] arguments) throws InterruptedException, IOException {
    CountDownLatch asked = new CountDownLatch(1);
    ParentPipe.listen(
        new ParentPipe.Listener() {
          @Override
          public void stop() {
            asked.countDown();
          }

          @Override
          public void orphaned() {
            asked.countDown();
          }
        });
    List<PeerPath> kinds = new ArrayList<>();
    for (int i = 2; i < arguments.length; i++) {
      kinds.add(PeerPath.valueOf(arguments[i]));
    }
    try (OpenPaths servers = new OpenPaths()) {
      Map<PeerPath, String> addresses =
          start(
              kinds,
              Path.of(arguments[0]),
              DataSize.ofBytes(Long.parseLong(arguments[1])),
              servers);
      System.out.println(new JsonMapper().writeValueAsString(addresses));
      asked.await();
    }
  }

  private static Map<PeerPath, String> start(
      List<PeerPath> kinds, Path directory, DataSize memory, OpenPaths servers) {
    Map<PeerPath, String> addresses = new EnumMap<>(PeerPath.class);
    for (PeerPath kind : kinds) {
      switch (kind) {
        case RAW_TCP ->
            addresses.put(kind, Integer.toString(servers.closing(RawTcpServer.start()).port()));
        case LANE_TCP, LANE_TLS ->
            addresses.put(
                kind,
                servers
                    .closing(
                        PeerNode.launch(
                            "owner-of-" + kind,
                            directory,
                            kind.tls(directory),
                            memory,
                            Optional.empty()))
                    .discoveryAddress());
        case IGNITE_GET_ALL ->
            addresses.put(
                kind,
                servers
                    .closing(PeerIgnite.start(true, memory, Optional.empty()))
                    .discoveryAddress());
        case HAZELCAST_GET_ALL ->
            addresses.put(kind, servers.closing(PeerHazelcast.start(Optional.empty())).address());
        case REDIS_MGET -> {
          // A process by itself.
        }
      }
    }
    return addresses;
  }
}
