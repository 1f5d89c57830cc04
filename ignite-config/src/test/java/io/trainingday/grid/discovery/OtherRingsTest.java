package io.trainingday.grid.discovery;

import static org.assertj.core.api.Assertions.assertThat;

import java.net.InetSocketAddress;
import java.util.Arrays;
import java.util.Map;
import java.util.UUID;
import org.junit.jupiter.api.Test;

class OtherRingsTest {
  private static final InetSocketAddress THERE = new InetSocketAddress("127.0.0.2", 47_500);
  private static final InetSocketAddress ELSEWHERE = new InetSocketAddress("127.0.0.3", 47_500);
  private static final Ring MINE = new Ring(2, 100, 1, new UUID(0, 1));
  private static final Ring LARGER = new Ring(3, 200, 1, new UUID(0, 2));
  private static final Ring SMALLER = new Ring(1, 50, 1, new UUID(0, 3));

  private final OtherRings rings = new OtherRings();

  @Test
  void ring_countsWhenSeenTwiceInARow() {
    assertThat(rings.look(MINE, Map.of(THERE, LARGER))).isEmpty();
    assertThat(rings.look(MINE, Map.of())).isEmpty();
    assertThat(rings.look(MINE, Map.of(THERE, LARGER))).isEmpty();
    assertThat(rings.look(MINE, Map.of(THERE, LARGER)))
        .contains(new OtherRings.Found(THERE, LARGER, true));
  }

  @Test
  void smallerRing_hasToGo() {
    Map<InetSocketAddress, Ring> seen = Map.of(THERE, SMALLER);
    assertThat(rings.look(MINE, seen)).isEmpty();
    assertThat(rings.look(MINE, seen)).contains(new OtherRings.Found(THERE, SMALLER, false));
    assertThat(rings.look(MINE, seen)).contains(new OtherRings.Found(THERE, SMALLER, false));
  }

  @Test
  void bestOfSeveral_decides() {
    Map<InetSocketAddress, Ring> seen = Map.of(THERE, SMALLER, ELSEWHERE, LARGER);
    assertThat(rings.look(MINE, seen)).isEmpty();
    assertThat(rings.look(MINE, seen)).contains(new OtherRings.Found(ELSEWHERE, LARGER, true));
  }

  @Test
  void rings_sortTheLargerThenTheOlderFirst() {
    Ring younger = new Ring(2, 101, 1, new UUID(0, 0));
    Ring laterCoordinator = new Ring(2, 100, 2, new UUID(0, 0));
    Ring laterId = new Ring(2, 100, 1, new UUID(0, 2));
    assertThat(new Ring[] {younger, laterId, SMALLER, laterCoordinator, LARGER, MINE})
        .satisfies(Arrays::sort)
        .containsExactly(LARGER, MINE, laterId, laterCoordinator, younger, SMALLER);
  }
}
