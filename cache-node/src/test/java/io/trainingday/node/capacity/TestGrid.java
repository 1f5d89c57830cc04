package io.trainingday.node.capacity;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.trainingday.config.Settings;
import io.trainingday.grid.GridCaches;
import io.trainingday.grid.SampleKey;
import io.trainingday.node.TestNodes;
import io.trainingday.node.fill.Fills.Submitted;
import io.trainingday.node.store.RecordStores.Held;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.function.UnaryOperator;
import java.util.stream.IntStream;

/** Several small nodes in this JVM. */
final class TestGrid implements AutoCloseable {
  private static final int PLACES = 5;

  private final List<Integer> ports =
      IntStream.range(0, PLACES).mapToObj(i -> TestNodes.freePort()).toList();
  private final Map<Integer, GridNode> nodes = new ConcurrentHashMap<>();
  private final UnaryOperator<Settings.Builder> change;

  TestGrid(UnaryOperator<Settings.Builder> change) {
    this.change = change;
  }

  static TestGrid of(int nodes) {
    TestGrid grid = new TestGrid(settings -> settings);
    for (int place = 0; place < nodes; place++) {
      grid.start(place);
    }
    grid.awaitSettled();
    return grid;
  }

  GridNode start(int place) {
    GridNode node = GridNode.start(change.apply(GridNode.settings(ports, place)).build());
    nodes.put(place, node);
    return node;
  }

  void stop(int place) {
    GridNode node = nodes.remove(place);
    if (node != null) {
      node.close();
    }
  }

  List<GridNode> nodes() {
    return List.copyOf(nodes.values());
  }

  /** Waits until every node knows all and every partition is where it belongs. */
  void awaitSettled() {
    await()
        .atMost(Duration.ofMinutes(1))
        .untilAsserted(
            () -> {
              for (GridNode node : nodes.values()) {
                assertThat(node.members()).isEqualTo(nodes.size());
                assertThat(node.capacity.stats().partitionsArriving()).isZero();
                for (int backups = 0; backups <= GridCaches.MAX_BACKUPS; backups++) {
                  assertThat(node.stores.partitions(backups, Held.LEAVING)).isEmpty();
                  int whole =
                      node.stores.partitions(backups, Held.PRIMARY).size()
                          + node.stores.partitions(backups, Held.BACKUP).size();
                  assertThat(whole).isPositive();
                }
              }
              for (int backups = 0; backups <= GridCaches.MAX_BACKUPS; backups++) {
                int copies = 0;
                int primaries = 0;
                for (GridNode node : nodes.values()) {
                  primaries += node.stores.partitions(backups, Held.PRIMARY).size();
                  copies += node.stores.partitions(backups, Held.BACKUP).size();
                  assertThat(node.ownership.members()).hasSize(nodes.size());
                }
                assertThat(primaries).isEqualTo(GridNode.PARTITIONS);
                assertThat(copies)
                    .isEqualTo(GridNode.PARTITIONS * Math.min(backups, nodes.size() - 1));
              }
            });
  }

  /** All owners fill at once, each with the samples whose primary it is, until nothing fits. */
  Map<SampleKey, Integer> fillUntilRefused(int backups, int leastBytes, int mostBytes)
      throws Exception {
    Map<SampleKey, Integer> stored = new ConcurrentHashMap<>();
    int idle = 0;
    // One that stores nothing may have been unlucky with the others' promises.
    while (idle < 3) {
      int before = stored.size();
      fillOnce(backups, leastBytes, mostBytes, stored);
      // What owners were promised and do not use is given to others.
      await()
          .atMost(Duration.ofMinutes(1))
          .until(
              () ->
                  nodes.values().stream()
                      .allMatch(node -> node.capacity.admission().bytesPromised() == 0));
      idle = stored.size() > before ? 0 : idle + 1;
    }
    return stored;
  }

  private void fillOnce(int backups, int leastBytes, int mostBytes, Map<SampleKey, Integer> stored)
      throws Exception {
    ExecutorService threads = Executors.newCachedThreadPool();
    try {
      List<Future<?>> owners = new ArrayList<>();
      for (GridNode node : nodes.values()) {
        owners.add(
            threads.submit(
                () -> {
                  int refused = 0;
                  for (long index = 0; refused < 20; index++) {
                    SampleKey key = GridNode.key(index);
                    if (!node.isPrimary(backups, index) || stored.containsKey(key)) {
                      continue;
                    }
                    int bytes = leastBytes + (int) (index * 7919 % (mostBytes - leastBytes + 1));
                    Submitted submitted = node.submit(backups, key, bytes);
                    if (submitted == Submitted.TAKEN) {
                      stored.put(key, bytes);
                    } else {
                      assertThat(submitted).isEqualTo(Submitted.NO_ROOM);
                      refused++;
                    }
                  }
                  return null;
                }));
      }
      for (Future<?> owner : owners) {
        owner.get();
      }
    } finally {
      threads.shutdownNow();
    }
    for (GridNode node : nodes.values()) {
      await().until(() -> node.fills.stats().inFlightBytes() == 0);
    }
  }

  /** On how many nodes a record is, whole and right. */
  int copies(int backups, SampleKey key) {
    return (int) nodes.values().stream().filter(node -> node.holds(backups, key)).count();
  }

  void assertNoTroubles() {
    for (GridNode node : nodes.values()) {
      assertThat(node.troubles).isEmpty();
      assertThat(node.capacity.admission().closedReason()).isNull();
      assertThat(node.fills.stats().writesFailed()).isZero();
    }
  }

  @Override
  public void close() {
    nodes.values().forEach(GridNode::close);
  }
}
