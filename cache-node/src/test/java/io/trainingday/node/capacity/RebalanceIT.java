package io.trainingday.node.capacity;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.trainingday.node.ChildJvm;
import io.trainingday.node.TestNodes;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Base64;
import java.util.BitSet;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** Nodes in processes of their own, one of which is killed. */
class RebalanceIT {
  private static final int NODES = 3;

  private final String ports =
      IntStream.range(0, NODES)
          .mapToObj(i -> String.valueOf(TestNodes.freePort()))
          .collect(Collectors.joining(","));
  private final List<ChildJvm> nodes = new ArrayList<>();

  @AfterEach
  void killAll() {
    nodes.forEach(ChildJvm::close);
  }

  private void start(int place) throws Exception {
    ChildJvm node = launch(place);
    nodes.add(node);
    assertThat(node.hear()).isEqualTo("started");
  }

  private ChildJvm launch(int place) throws IOException {
    return new ChildJvm(ChildJvm.NODE_ARGUMENTS, GridNodeProcess.class, ports, place);
  }

  private static String ask(ChildJvm node, String order) throws InterruptedException {
    node.tell(order);
    return node.hear();
  }

  /** Waits until every node knows all and every partition has all of its copies, and no more. */
  private void awaitSettled() {
    await()
        .atMost(Duration.ofMinutes(1))
        .untilAsserted(
            () -> {
              int copies = 0;
              for (ChildJvm node : nodes) {
                assertThat(ask(node, "members")).isEqualTo(String.valueOf(nodes.size()));
                assertThat(ask(node, "moving")).isEqualTo("0");
                copies += Integer.parseInt(ask(node, "copies"));
              }
              assertThat(copies).isEqualTo(GridNode.PARTITIONS * (1 + GridNodeProcess.BACKUPS));
            });
  }

  /** All at once, again until hardly anything is taken any more. */
  private void fill() throws InterruptedException {
    int taken;
    do {
      nodes.forEach(node -> node.tell("fill"));
      taken = 0;
      for (ChildJvm node : nodes) {
        taken += Integer.parseInt(node.hear());
      }
    } while (taken > 20);
  }

  private BitSet held(ChildJvm node) throws InterruptedException {
    return BitSet.valueOf(Base64.getDecoder().decode(ask(node, "held")));
  }

  @Test
  void kill_oneOfThreeFullNodes_everySampleIsServedAndEveryCopyRebuilt() throws Exception {
    for (int place = 0; place < NODES; place++) {
      start(place);
    }
    awaitSettled();
    fill();
    BitSet stored = new BitSet();
    for (ChildJvm node : nodes) {
      stored.or(held(node));
      String[] pages = ask(node, "pages").split(" ", -1);
      assertThat(Long.parseLong(pages[0])).isLessThanOrEqualTo(Long.parseLong(pages[1]));
    }
    assertThat(stored.cardinality()).isBetween(300, GridNodeProcess.SAMPLES - 100);

    ChildJvm victim = nodes.remove(0);
    victim.kill();

    BitSet served = held(nodes.get(0));
    served.or(held(nodes.get(1)));
    assertThat(served).isEqualTo(stored);
    awaitSettled();
    for (ChildJvm node : nodes) {
      assertThat(ask(node, "troubles")).isEqualTo("[]");
      assertThat(held(node).cardinality()).isGreaterThan(stored.cardinality() * 95 / 100);
    }

    start(0);
    awaitSettled();
    BitSet again = new BitSet();
    for (ChildJvm node : nodes) {
      assertThat(ask(node, "troubles")).isEqualTo("[]");
      BitSet here = held(node);
      assertThat(here.cardinality()).isLessThan(stored.cardinality() * 9 / 10);
      again.or(here);
    }
    assertThat(again).isEqualTo(stored);
  }
}
