package io.trainingday.node;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.trainingday.config.SettingKey;
import io.trainingday.processes.NodePlace;
import io.trainingday.processes.NodeProcess;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.ConnectException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.function.IntFunction;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Nodes that start at the same moment, in any order, end in one grid. */
class StartupRaceIT {
  private static final int NODES = 3;
  private static final int MAX_OFFSET_MILLIS = 300;
  private static final Duration MEETING_LIMIT = Duration.ofSeconds(60);

  private final Random random = new Random();
  private final Path names;

  StartupRaceIT(@TempDir Path directory) {
    names = directory.resolve("hosts");
  }

  @Test
  void staticLists_nodesSideBySide_makeOneGrid_alsoAfterOneIsKilled() throws Exception {
    Places places = new Places();
    List<String> all = IntStream.rangeClosed(1, NODES).mapToObj(places::discoveryAddress).toList();
    // Starts that are as close as can be are the hardest; names are looked up with some between.
    try (LocalGrid grid =
        grid(NODES, places)
            .eachNode(
                (number, node) ->
                    node.unset(SettingKey.GRID_DISCOVERY_ADDRESSES)
                        .set(SettingKey.GRID_DISCOVERY_ADDRESSES, all))
            .sideBySide(() -> 0)
            .start()) {
      NodeProcess killed = grid.node(random.nextInt(NODES));
      grid.kill(killed);
      grid.restart(killed);
      grid.awaitSettled();
      assertThat(grid.living()).hasSize(NODES);
    }
  }

  @Test
  void dnsThatKnowsEachNodeAloneAtFirst_nodesSideBySide_makeOneGrid() throws Exception {
    Places places = new Places();
    writeNames(places, number -> List.of(number));
    CompletableFuture<Void> dnsLearns =
        CompletableFuture.runAsync(
            () -> {
              // By then they have looked, or do so before they hear of each other.
              IntStream.rangeClosed(1, NODES).forEach(places::awaitListening);
              writeNames(places, number -> List.of(1, 2, 3));
            });
    try (LocalGrid grid =
        dnsGrid(NODES, places, Duration.ofSeconds(5))
            .sideBySide(() -> random.nextInt(MAX_OFFSET_MILLIS))
            .start()) {
      dnsLearns.join();
      assertThat(grid.living()).hasSize(NODES);
    }
  }

  @Test
  void dnsThatLearnsTooLate_smallerGridStops_andJoinsTheOther() throws Exception {
    Places places = new Places();
    writeNames(places, number -> number == 3 ? List.of(3) : List.of(1, 2));
    try (LocalGrid grid = dnsGrid(2, places, Duration.ofMillis(200)).start()) {
      NodeProcess apart = grid.add();
      assertThat(apart.members().members()).hasSize(1);

      writeNames(places, number -> List.of(1, 2, 3));
      assertThat(apart.process().awaitEnd(MEETING_LIMIT)).isTrue();
      assertThat(apart.process().exitCode()).hasValue(1);
      assertThat(apart.process().lastLines())
          .contains(
              "error: the node failed: this node is in a grid of 1 node, and a grid of 2 nodes is"
                  + " at ")
          .contains("; start it again, and it joins that one");

      grid.restart(apart);
      grid.awaitSettled();
      assertThat(grid.living()).hasSize(NODES);
    }
  }

  private static LocalGrid.Builder grid(int nodes, Places places) {
    return LocalGrid.of(nodes)
        .places(places)
        // Many JVMs that start take the processors from each other; nobody is to be taken for dead.
        .set(SettingKey.GRID_FAILURE_DETECTION_TIMEOUT, Duration.ofSeconds(30));
  }

  /** Every node has a name of its own to look up, so that each can be told something else. */
  private LocalGrid.Builder dnsGrid(int nodes, Places places, Duration settleTime) {
    return grid(nodes, places)
        .jvmOption("-Djdk.net.hosts.file=" + names)
        .jvmOption("-Dsun.net.inetaddr.ttl=1")
        .jvmOption("-Dsun.net.inetaddr.negative.ttl=1")
        .set(SettingKey.GRID_DISCOVERY_SETTLE_TIME, settleTime)
        .eachNode(
            (number, node) ->
                node.unset(SettingKey.GRID_DISCOVERY_ADDRESSES)
                    .set(SettingKey.GRID_DISCOVERY_DNS_NAME, "seen-by-" + number));
  }

  private void writeNames(Places places, IntFunction<List<Integer>> known) {
    String lines =
        IntStream.rangeClosed(1, NODES)
            .boxed()
            .flatMap(
                number ->
                    known.apply(number).stream()
                        .map(other -> places.address(other) + " seen-by-" + number))
            .collect(Collectors.joining("\n", "127.0.0.1 localhost\n", "\n"));
    try {
      Path next = names.resolveSibling("hosts.next");
      Files.writeString(next, lines);
      Files.move(next, names, StandardCopyOption.ATOMIC_MOVE);
    } catch (IOException failure) {
      throw new UncheckedIOException(failure);
    }
  }

  /** Each node at an address of its own of loopback, all with the same ports, as in a cluster. */
  private static final class Places implements NodePlace.Source {
    private static final int PORTS = 4;
    private static final int MAX_NET = 250;

    private final String net = "127.77.%d.".formatted(1 + new Random().nextInt(MAX_NET));
    private final List<Integer> ports = new ArrayList<>();

    Places() throws IOException {
      List<ServerSocket> free = new ArrayList<>();
      try {
        while (free.size() < PORTS) {
          free.add(new ServerSocket(0, 1, InetAddress.getByName(net + 1)));
        }
      } finally {
        for (ServerSocket socket : free) {
          ports.add(socket.getLocalPort());
          socket.close();
        }
      }
    }

    String address(int number) {
      return net + number;
    }

    String discoveryAddress(int number) {
      return address(number) + ":" + ports.get(0);
    }

    /** Returns when a node has opened its discovery port, which it does before it looks. */
    void awaitListening(int number) {
      await()
          .atMost(MEETING_LIMIT)
          .pollInterval(Duration.ofMillis(20))
          .ignoreException(ConnectException.class)
          .until(
              () -> {
                new Socket(address(number), ports.get(0)).close();
                return true;
              });
    }

    @Override
    public NodePlace of(int number) {
      return new NodePlace(
          List.of(), address(number), ports.get(0), ports.get(1), ports.get(2), ports.get(3));
    }

    @Override
    public void close() {}
  }
}
