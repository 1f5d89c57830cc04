package io.trainingday.grid.discovery;

import static org.assertj.core.api.Assertions.assertThat;

import io.trainingday.grid.discovery.Founding.Step;
import java.net.InetSocketAddress;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Deque;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.UUID;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;
import org.jspecify.annotations.Nullable;

/** Nodes that start in any order, each question of which happens at any moment. */
class FoundingPropertyTest {
  private static final Duration SETTLE = Duration.ofSeconds(10);
  private static final long TICK_NANOS = 1_000_000;
  private static final int MAX_STEPS = 500_000;

  @Property(tries = 500)
  void completeLists_makeOneRing(@ForAll long seed, @ForAll @IntRange(min = 1, max = 6) int nodes) {
    Model model = new Model(seed, nodes, false);
    model.nodes.forEach(node -> node.listed.addAll(model.addresses));
    model.run();
    assertThat(model.rings).isEqualTo(1);
  }

  @Property(tries = 500)
  void listsThatGrowInTime_makeOneRing(
      @ForAll long seed, @ForAll @IntRange(min = 1, max = 6) int nodes) {
    Model model = new Model(seed, nodes, true);
    model.growUntilNanos = model.random.nextLong(SETTLE.toNanos() / 2);
    model.run();
    assertThat(model.rings).isEqualTo(1);
  }

  /** The one list that has both is enough, though neither is told by the other's. */
  @Property(tries = 500)
  void oneOfTwoListsThatHasBoth_makesOneRing(@ForAll long seed) {
    Model model = new Model(seed, 2, false);
    model.nodes.get(0).listed.add(model.addresses.get(0));
    model.nodes.get(1).listed.addAll(model.addresses);
    // A node that is not there when it is asked hears of nobody.
    model.nodes.forEach(node -> node.startNanos = 0);
    model.run();
    assertThat(model.rings).isEqualTo(1);
  }

  @Property(tries = 300)
  void nodesThatDieAndStartAgain_makeOneRing(
      @ForAll long seed, @ForAll @IntRange(min = 2, max = 5) int nodes) {
    Model model = new Model(seed, nodes, false);
    model.nodes.forEach(node -> node.listed.addAll(model.addresses));
    model.deaths = model.random.nextInt(4);
    model.run();
    assertThat(model.rings).isEqualTo(1);
  }

  private static final class Model {
    final Random random;
    final List<InetSocketAddress> addresses = new ArrayList<>();
    final List<Node> nodes = new ArrayList<>();
    final boolean dns;
    long growUntilNanos = -1;
    int deaths;
    int rings;
    long nowNanos;

    Model(long seed, int count, boolean dns) {
      random = new Random(seed);
      this.dns = dns;
      for (int i = 0; i < count; i++) {
        addresses.add(new InetSocketAddress("127.0.0." + (i + 1), 47_500));
      }
      addresses.forEach(address -> nodes.add(new Node(address)));
    }

    void run() {
      for (int step = 0; step < MAX_STEPS; step++) {
        // At times many things happen at once, at times nothing does for long.
        nowNanos += random.nextInt(50) == 0 ? random.nextLong(500 * TICK_NANOS) : TICK_NANOS;
        if (growUntilNanos >= 0) {
          grow();
        }
        Node node = nodes.get(random.nextInt(nodes.size()));
        if (deaths > 0 && node.ring == null && random.nextInt(20) == 0) {
          deaths--;
          node.die();
        } else {
          node.step();
        }
        if (nodes.stream().allMatch(any -> any.ring != null)) {
          return;
        }
      }
      throw new AssertionError("no end: " + nodes);
    }

    private void grow() {
      for (Node node : nodes) {
        node.listed.add(node.address);
        if (nowNanos - node.startNanos > growUntilNanos) {
          node.listed.addAll(addresses);
        } else if (random.nextInt(200) == 0) {
          node.listed.add(addresses.get(random.nextInt(addresses.size())));
        }
      }
    }

    private final class Node {
      final InetSocketAddress address;
      final Set<InetSocketAddress> listed = new HashSet<>();
      final Set<InetSocketAddress> askers = new HashSet<>();
      final Map<InetSocketAddress, Sighting> seen = new HashMap<>();
      final Deque<InetSocketAddress> toAsk = new ArrayDeque<>();
      long startNanos;
      UUID id = newId();
      Founding founding = new Founding(id, dns, SETTLE);
      boolean asking;
      boolean founds;
      @Nullable Ring ring;

      Node(InetSocketAddress address) {
        this.address = address;
        startNanos = random.nextLong(SETTLE.toNanos() / 2);
      }

      UUID newId() {
        return new UUID(random.nextLong(), random.nextLong());
      }

      void die() {
        id = newId();
        founding = new Founding(id, dns, SETTLE);
        asking = false;
        founds = false;
        toAsk.clear();
        askers.clear();
        startNanos = nowNanos + random.nextLong(2_000 * TICK_NANOS);
      }

      void step() {
        if (nowNanos < startNanos || ring != null) {
          return;
        }
        if (founds) {
          rings++;
          ring = new Ring(1, nowNanos, 1, id);
        } else if (!asking) {
          Set<InetSocketAddress> all = new HashSet<>(listed);
          all.addAll(askers);
          all.remove(address);
          List<InetSocketAddress> shuffled = new ArrayList<>(all);
          Collections.shuffle(shuffled, random);
          seen.clear();
          toAsk.addAll(shuffled);
          asking = true;
        } else if (!toAsk.isEmpty()) {
          InetSocketAddress next = toAsk.remove();
          seen.put(next, nodes.get(addresses.indexOf(next)).answer(address));
        } else {
          asking = false;
          Step step = founding.next(nowNanos, listed, listed.contains(address), seen);
          if (step instanceof Step.Found) {
            founds = true;
          } else if (step instanceof Step.Join join) {
            ring = nodes.get(addresses.indexOf(join.members().get(0))).ring;
          }
        }
      }

      Sighting answer(InetSocketAddress asker) {
        if (nowNanos < startNanos) {
          return Sighting.ABSENT;
        }
        if (ring == null && random.nextInt(10) == 0) {
          return Sighting.SILENT;
        }
        askers.add(asker);
        return Sighting.of(
            ring == null ? Status.outside(id, founding.stage()) : Status.member(id, ring, false));
      }

      @Override
      public String toString() {
        return "%s %s in %s".formatted(address, founding.stage(), ring);
      }
    }
  }
}
