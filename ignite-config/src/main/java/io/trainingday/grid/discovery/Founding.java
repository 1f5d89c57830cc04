package io.trainingday.grid.discovery;

import io.trainingday.grid.discovery.Status.Stage;
import java.net.InetSocketAddress;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.UUID;
import java.util.stream.Stream;

/**
 * Decides whether a node that starts joins a ring, founds one or waits.
 *
 * <h2>Why two nodes do not both found</h2>
 *
 * A node first shows everyone that it claims to found. Only then it asks all the others once more,
 * and founds if nobody claims, founds or is a member. Of two nodes, the one that claims later asks
 * later, and finds the claim of the other; of two that find each other's, the smaller id goes on
 * and the other one takes its claim back. This needs no clock and no order of starting, only that
 * each asks the other; so whoever is asked also asks back, and one of two lists is enough.
 *
 * <h2>What it cannot know</h2>
 *
 * A list may lack nodes, when it comes from DNS, and a node may not answer in time. For both a node
 * waits the settle time and then goes on: {@link OtherRings} finds out if that was wrong.
 *
 * <p>One thread decides; any may ask for the stage.
 */
final class Founding {
  /** What to do now. */
  sealed interface Step {
    /** Join the ring these members are in. */
    record Join(List<InetSocketAddress> members) implements Step {}

    /** Found a ring. */
    record Found() implements Step {}

    /** Ask everyone again, at once. */
    record AskAgain() implements Step {}

    /** Ask everyone again in a moment. */
    record Wait(String reason) implements Step {}
  }

  private final UUID self;
  private final boolean listMayGrow;
  private final long settleNanos;
  private final Map<InetSocketAddress, Long> silentSince = new HashMap<>();
  private Optional<Set<InetSocketAddress>> list = Optional.empty();
  private long listSince;
  private volatile Stage stage = Stage.LOOKING;

  /**
   * @param self the id of this node's start, which no other node has
   * @param listMayGrow whether the list of addresses may lack nodes for now
   */
  Founding(UUID self, boolean listMayGrow, Duration settleTime) {
    this.self = self;
    this.listMayGrow = listMayGrow;
    this.settleNanos = settleTime.toNanos();
  }

  /** What to tell others, for as long as this node is in no ring. */
  Stage stage() {
    return stage;
  }

  /**
   * Decides after one round, in which every other address was asked after the step before was
   * returned.
   *
   * @param nowNanos of a clock that goes on evenly
   * @param listed the addresses this node was given
   * @param listsSelf whether its own one is among them
   * @param seen what was found at those and at all who asked this node
   */
  Step next(
      long nowNanos,
      Set<InetSocketAddress> listed,
      boolean listsSelf,
      Map<InetSocketAddress, Sighting> seen) {
    notice(nowNanos, listed, seen);
    Map<Ring, List<InetSocketAddress>> rings = rings(seen);
    if (!rings.isEmpty()) {
      stage = Stage.LOOKING;
      return new Step.Join(rings.values().iterator().next());
    }
    Optional<String> obstacle = obstacle(nowNanos, listsSelf || seesSelf(seen));
    if (obstacle.isPresent()) {
      stage = Stage.LOOKING;
      return new Step.Wait(obstacle.get());
    }
    List<Status> rivals = others(seen).filter(Status::claims).toList();
    if (stage == Stage.CLAIMING) {
      if (rivals.isEmpty()) {
        stage = Stage.FOUNDING;
        return new Step.Found();
      }
      if (rivals.stream().anyMatch(this::goesFirst)) {
        stage = Stage.LOOKING;
      }
    } else if (rivals.isEmpty()) {
      stage = Stage.CLAIMING;
      return new Step.AskAgain();
    }
    return new Step.Wait("node %s is about to found the grid".formatted(rivals.get(0).node()));
  }

  /** Claims nothing any more, until the next round. */
  void stepBack() {
    stage = Stage.LOOKING;
  }

  private boolean goesFirst(Status rival) {
    return rival.stage() == Stage.FOUNDING || rival.node().compareTo(self) < 0;
  }

  private void notice(
      long nowNanos, Set<InetSocketAddress> listed, Map<InetSocketAddress, Sighting> seen) {
    if (list.isEmpty() || !list.get().equals(listed)) {
      list = Optional.of(Set.copyOf(listed));
      listSince = nowNanos;
    }
    seen.forEach(
        (address, sighting) -> {
          if (sighting.kind() == Sighting.Kind.SILENT) {
            silentSince.putIfAbsent(address, nowNanos);
          }
        });
    silentSince
        .keySet()
        .removeIf(
            address -> seen.getOrDefault(address, Sighting.ABSENT).kind() != Sighting.Kind.SILENT);
  }

  private Optional<String> obstacle(long nowNanos, boolean entitled) {
    if (listMayGrow) {
      if (nowNanos - listSince < settleNanos) {
        return Optional.of("DNS may not know all nodes yet, now " + texts(list.orElse(Set.of())));
      }
    } else if (!entitled) {
      return Optional.of(
          "this node's own address is not in grid.discovery.addresses, so it founds no"
              + " grid; start one that is, or add it on every node");
    }
    return silentSince.entrySet().stream()
        .filter(silent -> nowNanos - silent.getValue() < settleNanos)
        .map(silent -> text(silent.getKey()) + " neither answers nor refuses")
        .findFirst();
  }

  private boolean seesSelf(Map<InetSocketAddress, Sighting> seen) {
    return statuses(seen).anyMatch(s -> s.node().equals(self));
  }

  private Stream<Status> others(Map<InetSocketAddress, Sighting> seen) {
    return statuses(seen).filter(status -> !status.node().equals(self));
  }

  private static Stream<Status> statuses(Map<InetSocketAddress, Sighting> seen) {
    return seen.values().stream().flatMap(sighting -> Stream.ofNullable(sighting.status()));
  }

  /** The members of each ring, the ring to join first. */
  private static Map<Ring, List<InetSocketAddress>> rings(Map<InetSocketAddress, Sighting> seen) {
    Map<Ring, List<InetSocketAddress>> rings = new TreeMap<>();
    seen.forEach(
        (address, sighting) -> {
          if (sighting.status() != null && sighting.status().ring() != null) {
            rings.merge(
                sighting.status().ring(),
                List.of(address),
                (some, more) -> Stream.concat(some.stream(), more.stream()).toList());
          }
        });
    return rings;
  }

  /** An address for people, without the name it was looked up by. */
  static String text(InetSocketAddress address) {
    return address.isUnresolved()
        ? address.getHostString() + ":" + address.getPort()
        : address.toString().replaceFirst("^[^/]*/", "");
  }

  static List<String> texts(Set<InetSocketAddress> addresses) {
    return addresses.stream().map(Founding::text).sorted().toList();
  }
}
