package io.trainingday.node.lane;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.trainingday.config.DataSize;
import io.trainingday.config.SettingKey;
import io.trainingday.config.Settings;
import io.trainingday.grid.BoundedLoadAffinity;
import io.trainingday.lane.LaneMessage.Batch;
import io.trainingday.lane.LaneMessage.Shape;
import io.trainingday.lane.LaneMessage.Status;
import io.trainingday.lane.OwnersMessage;
import io.trainingday.node.CacheNode;
import io.trainingday.node.TestNodes;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.UnaryOperator;
import java.util.stream.LongStream;

/** Several nodes of one grid in this JVM, each on a host of its own as far as they know. */
final class NodeGrid implements AutoCloseable {
  private static final int PARTITIONS = 32;
  private static final Duration SOON = Duration.ofSeconds(60);

  private final List<CacheNode> nodes = new ArrayList<>();

  /**
   * @param more what is set beside or instead of the settings for small nodes
   */
  static NodeGrid launch(Path directory, int count, UnaryOperator<Settings.Builder> more)
      throws IOException {
    NodeGrid grid = new NodeGrid();
    try {
      int firstPort = TestNodes.freePort();
      for (int i = 0; i < count; i++) {
        Path own = Files.createDirectories(directory.resolve("node-" + i));
        grid.nodes.add(CacheNode.launch(more.apply(settings(own, i, firstPort)).build()));
      }
      grid.awaitWhole();
      return grid;
    } catch (Throwable e) {
      grid.close();
      throw e;
    }
  }

  /** Starts one more node; partitions begin to move to it. */
  CacheNode add(Path directory) throws IOException {
    int number = nodes.size();
    Path own = Files.createDirectories(directory.resolve("node-" + number));
    int firstPort = nodes.get(0).settings().grid().port();
    CacheNode added = CacheNode.launch(settings(own, number, firstPort).build());
    nodes.add(added);
    return added;
  }

  /** Settings of the node of that number of a grid whose first node listens on a port. */
  static Settings.Builder settings(Path directory, int number, int firstPort) {
    return Settings.builder()
        .set(SettingKey.GRID_PORT, number == 0 ? firstPort : TestNodes.freePort())
        .set(SettingKey.GRID_COMMUNICATION_PORT, TestNodes.freePort())
        .set(SettingKey.GRID_PARTITIONS, PARTITIONS)
        .set(SettingKey.GRID_HOST_ID, "host-" + number)
        .set(SettingKey.GRID_DISCOVERY_ADDRESSES, List.of("127.0.0.1:" + firstPort))
        .set(SettingKey.MEMORY_MAX_SIZE, DataSize.parse("64MiB"))
        .set(SettingKey.LANE_MAX_RECORD_SIZE, DataSize.parse("1MiB"))
        .set(SettingKey.LANE_SOCKET, directory.resolve("lane.sock"))
        .set(SettingKey.LANE_TCP_ENABLED, true)
        .set(SettingKey.LANE_TCP_PORT, TestNodes.freePort())
        .set(SettingKey.METRICS_ENABLED, false);
  }

  /** Waits until all nodes know the same owners and each node owns its share. */
  void awaitWhole() {
    await()
        .atMost(SOON)
        .until(
            () -> {
              List<OwnersMessage.Reply> tables = nodes.stream().map(NodeGrid::owners).toList();
              return tables.stream().allMatch(this::isWhole)
                  && tables.stream()
                          .map(
                              table ->
                                  Arrays.stream(table.copies())
                                      .map(places -> table.members().get(places[0]).name())
                                      .toList())
                          .distinct()
                          .count()
                      == 1;
            });
  }

  private boolean isWhole(OwnersMessage.Reply table) {
    long[] shares = new long[table.members().size()];
    for (int[] places : table.copies()) {
      shares[places[0]]++;
    }
    return shares.length == nodes.size()
        && Arrays.stream(shares).min().orElse(0) >= PARTITIONS / nodes.size();
  }

  private static OwnersMessage.Reply owners(CacheNode node) {
    try (RawClient client = RawClient.greeted(node.socket())) {
      int handle = client.open("owners", 1);
      return client.call(new OwnersMessage.Request(handle)).as(OwnersMessage.Reply.class);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  CacheNode node(int i) {
    return nodes.get(i);
  }

  List<CacheNode> nodes() {
    return nodes;
  }

  /** The first indices, as many as asked for, whose primary is that node. */
  long[] ownedBy(int i, int count) {
    OwnersMessage.Reply table = owners(nodes.get(i));
    return LongStream.range(0, 1L << 20)
        .filter(
            index ->
                table
                    .members()
                    .get(
                        table
                            .copies()[BoundedLoadAffinity.partition(index, table.copies().length)][
                            0])
                    .local())
        .limit(count)
        .toArray();
  }

  /** Fills samples that the second node owns there, and waits until the first one reads them. */
  void awaitPeerReads(String dataset, int count) throws IOException {
    long[] ofTheOther = ownedBy(1, count);
    try (RawClient filler = RawClient.greeted(node(1).socket());
        RawClient reader = RawClient.greeted(node(0).socket())) {
      int handle = filler.open(dataset, 1 << 20);
      for (long index : ofTheOther) {
        filler.fill(handle, index, 0, 0, RawClient.record(index, 20));
      }
      int there = reader.open(dataset, 1 << 20);
      await()
          .untilAsserted(
              () ->
                  assertThat(
                          reader
                              .read(there, Shape.RECORDS, false, 0, ofTheOther)
                              .as(Batch.class)
                              .statuses())
                      .containsOnly(Status.HIT));
    }
  }

  /** Stops one node in order. */
  void stop(int i) {
    nodes.remove(i).close();
  }

  @Override
  public void close() {
    nodes.forEach(CacheNode::close);
    nodes.clear();
  }
}
