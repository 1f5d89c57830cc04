package io.trainingday.node.capacity;

import io.trainingday.grid.SampleKey;
import io.trainingday.node.ChildJvm;
import io.trainingday.node.fill.Fills.Submitted;
import io.trainingday.node.store.RecordStores.Held;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Base64;
import java.util.BitSet;
import java.util.List;
import java.util.stream.Stream;

/** A {@link GridNode} in a process of its own, which does what it is told on standard input. */
final class GridNodeProcess {
  static final int BACKUPS = 1;
  static final int SAMPLES = 2_000;
  private static final int LEAST_BYTES = 50_000;
  private static final int MOST_BYTES = 200_000;

  private GridNodeProcess() {}

  /** Arguments: the ports of all nodes, with commas, and which one is this one's. */
  public static void main(String[] arguments) throws Exception {
    List<Integer> ports = Stream.of(arguments[0].split(",")).map(Integer::valueOf).toList();
    int place = Integer.parseInt(arguments[1]);
    try (GridNode node = GridNode.start(GridNode.settings(ports, place).build())) {
      ChildJvm.say("started");
      BufferedReader orders =
          new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
      for (String order = orders.readLine(); order != null; order = orders.readLine()) {
        ChildJvm.say(obey(node, order));
      }
    }
  }

  private static String obey(GridNode node, String order) throws Exception {
    return switch (order) {
      case "fill" -> String.valueOf(fill(node));
      case "held" -> Base64.getEncoder().encodeToString(held(node).toByteArray());
      case "members" -> String.valueOf(node.members());
      case "moving" -> String.valueOf(count(node, Held.ARRIVING) + count(node, Held.LEAVING));
      case "copies" -> String.valueOf(count(node, Held.PRIMARY) + count(node, Held.BACKUP));
      case "pages" -> node.usedPages() + " " + node.limitPages();
      case "troubles" -> Arrays.toString(node.troubles.toArray());
      default -> throw new IllegalArgumentException(order);
    };
  }

  private static int count(GridNode node, Held held) {
    return node.stores.partitions(BACKUPS, held).size();
  }

  /** Offers all samples whose primary this node is and returns how many were taken. */
  private static int fill(GridNode node) throws InterruptedException {
    int taken = 0;
    for (long index = 0; index < SAMPLES; index++) {
      SampleKey key = GridNode.key(index);
      if (node.isPrimary(BACKUPS, index) && !node.stores.of(BACKUPS).contains(key)) {
        int bytes = LEAST_BYTES + (int) (index * 7919 % (MOST_BYTES - LEAST_BYTES));
        taken += node.submit(BACKUPS, key, bytes) == Submitted.TAKEN ? 1 : 0;
      }
    }
    while (node.fills.stats().inFlightBytes() > 0) {
      Thread.onSpinWait();
    }
    return taken;
  }

  private static BitSet held(GridNode node) {
    BitSet held = new BitSet();
    for (int index = 0; index < SAMPLES; index++) {
      held.set(index, node.holds(BACKUPS, GridNode.key(index)));
    }
    return held;
  }
}
