package io.trainingday.grid.discovery;

import static org.assertj.core.api.Assertions.assertThat;

import io.trainingday.grid.discovery.Founding.Step;
import io.trainingday.grid.discovery.Status.Stage;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.UUID;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class FoundingTest {
  private static final Duration SETTLE = Duration.ofSeconds(10);
  private static final UUID SELF = new UUID(0, 5);
  private static final UUID SMALLER = new UUID(0, 4);
  private static final UUID LARGER = new UUID(0, 6);
  private static final InetSocketAddress OWN = address(1);
  private static final InetSocketAddress OTHER = address(2);
  private static final InetSocketAddress THIRD = address(3);

  private final Founding founding = new Founding(SELF, false, SETTLE);
  private long nowNanos = -3;

  @Test
  void nodeAlone_founds_withoutWaiting() {
    assertThat(next(Set.of(OWN), Map.of())).isEqualTo(new Step.AskAgain());
    assertThat(founding.stage()).isEqualTo(Stage.CLAIMING);
    assertThat(next(Set.of(OWN), Map.of())).isEqualTo(new Step.Found());
    assertThat(founding.stage()).isEqualTo(Stage.FOUNDING);
  }

  @Test
  void others_thatRefuseOrLook_areNoObstacle() {
    Map<InetSocketAddress, Sighting> seen =
        Map.of(OTHER, Sighting.ABSENT, THIRD, outside(SMALLER, Stage.LOOKING));
    assertThat(next(Set.of(OWN, OTHER, THIRD), seen)).isEqualTo(new Step.AskAgain());
    assertThat(next(Set.of(OWN, OTHER, THIRD), seen)).isEqualTo(new Step.Found());
  }

  @Test
  void member_isJoined_alsoFromAClaim() {
    Ring ring = ring(1, 7);
    assertThat(next(Set.of(OWN), Map.of())).isEqualTo(new Step.AskAgain());
    assertThat(next(Set.of(OWN), Map.of(OTHER, member(ring))))
        .isEqualTo(new Step.Join(List.of(OTHER)));
    assertThat(founding.stage()).isEqualTo(Stage.LOOKING);
  }

  @Test
  void largerOfTwoRings_isJoined() {
    Map<InetSocketAddress, Sighting> seen =
        Map.of(OTHER, member(ring(1, 7)), THIRD, member(ring(2, 8)));
    assertThat(next(Set.of(OWN), seen)).isEqualTo(new Step.Join(List.of(THIRD)));
  }

  @ParameterizedTest
  @EnumSource(names = {"CLAIMING", "FOUNDING"})
  void claimOfAnother_isWaitedFor(Stage stage) {
    assertThat(next(Set.of(OWN, OTHER), Map.of(OTHER, outside(LARGER, stage))))
        .isEqualTo(new Step.Wait("node " + LARGER + " is about to found the grid"));
    assertThat(founding.stage()).isEqualTo(Stage.LOOKING);
  }

  @Test
  void twoClaims_smallerIdKeepsIts() {
    assertThat(next(Set.of(OWN, OTHER), Map.of(OTHER, Sighting.ABSENT)))
        .isEqualTo(new Step.AskAgain());
    assertThat(next(Set.of(OWN, OTHER), Map.of(OTHER, outside(LARGER, Stage.CLAIMING))))
        .isInstanceOf(Step.Wait.class);
    assertThat(founding.stage()).isEqualTo(Stage.CLAIMING);
    assertThat(next(Set.of(OWN, OTHER), Map.of(OTHER, outside(SMALLER, Stage.CLAIMING))))
        .isInstanceOf(Step.Wait.class);
    assertThat(founding.stage()).isEqualTo(Stage.LOOKING);
  }

  @Test
  void claim_endsWhenAnotherFounds() {
    next(Set.of(OWN, OTHER), Map.of(OTHER, Sighting.ABSENT));
    next(Set.of(OWN, OTHER), Map.of(OTHER, outside(LARGER, Stage.FOUNDING)));
    assertThat(founding.stage()).isEqualTo(Stage.LOOKING);
  }

  @Test
  void silentAddress_isWaitedForSoLong() {
    Map<InetSocketAddress, Sighting> silent = Map.of(OTHER, Sighting.SILENT);
    assertThat(next(Set.of(OWN, OTHER), silent))
        .isEqualTo(new Step.Wait("127.0.0.2:47500 neither answers nor refuses"));
    nowNanos += SETTLE.toNanos() - 1;
    assertThat(next(Set.of(OWN, OTHER), silent)).isInstanceOf(Step.Wait.class);
    nowNanos++;
    assertThat(next(Set.of(OWN, OTHER), silent)).isEqualTo(new Step.AskAgain());
    assertThat(next(Set.of(OWN, OTHER), silent)).isEqualTo(new Step.Found());
  }

  @Test
  void silentAddress_thatAnswersOnce_isWaitedForAnew() {
    Map<InetSocketAddress, Sighting> silent = Map.of(OTHER, Sighting.SILENT);
    next(Set.of(OWN, OTHER), silent);
    nowNanos += SETTLE.toNanos();
    next(Set.of(OWN, OTHER), Map.of(OTHER, outside(LARGER, Stage.CLAIMING)));
    assertThat(next(Set.of(OWN, OTHER), silent)).isInstanceOf(Step.Wait.class);
  }

  @Test
  void nodeThatIsNotListed_foundsNothing() {
    nowNanos += SETTLE.toNanos();
    assertThat(founding.next(nowNanos, Set.of(OTHER), false, Map.of(OTHER, Sighting.ABSENT)))
        .isEqualTo(
            new Step.Wait(
                "this node's own address is not in grid.discovery.addresses, so it founds no"
                    + " grid; start one that is, or add it on every node"));
  }

  @Test
  void nodeThatAnswersItself_isListed() {
    Map<InetSocketAddress, Sighting> seen = Map.of(OTHER, outside(SELF, Stage.CLAIMING));
    assertThat(founding.next(0, Set.of(OTHER), false, seen)).isEqualTo(new Step.AskAgain());
    assertThat(founding.next(0, Set.of(OTHER), false, seen)).isEqualTo(new Step.Found());
  }

  @Test
  void dnsList_hasToStayTheSameForSoLong() {
    Founding dns = new Founding(SELF, true, SETTLE);
    assertThat(dns.next(0, Set.of(OWN), true, Map.of()))
        .isEqualTo(new Step.Wait("DNS may not know all nodes yet, now [127.0.0.1:47500]"));
    long grown = SETTLE.toNanos() - 1;
    Map<InetSocketAddress, Sighting> seen = Map.of(OTHER, Sighting.ABSENT);
    assertThat(dns.next(grown, Set.of(OWN, OTHER), true, seen)).isInstanceOf(Step.Wait.class);
    assertThat(dns.next(grown + SETTLE.toNanos() - 1, Set.of(OWN, OTHER), true, seen))
        .isInstanceOf(Step.Wait.class);
    assertThat(dns.next(grown + SETTLE.toNanos(), Set.of(OWN, OTHER), true, seen))
        .isEqualTo(new Step.AskAgain());
  }

  @Test
  void dnsThatNeverKnowsTheNode_isNoObstacleForEver() {
    Founding dns = new Founding(SELF, true, SETTLE);
    dns.next(0, Set.of(), false, Map.of());
    assertThat(dns.next(SETTLE.toNanos(), Set.of(), false, Map.of()))
        .isEqualTo(new Step.AskAgain());
  }

  @Test
  void addresses_areShownWithoutTheNameTheyHad() throws Exception {
    byte[] four = {10, 0, 0, 1};
    byte[] six = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
    InetAddress named = InetAddress.getByAddress("node.example", four);
    assertThat(Founding.text(new InetSocketAddress(named, 1))).isEqualTo("10.0.0.1:1");
    assertThat(Founding.text(new InetSocketAddress(InetAddress.getByAddress(four), 1)))
        .isEqualTo("10.0.0.1:1");
    assertThat(Founding.text(new InetSocketAddress(InetAddress.getByAddress(six), 1)))
        .isEqualTo("[0:0:0:0:0:0:0:1]:1");
    assertThat(Founding.text(InetSocketAddress.createUnresolved("node.example", 1)))
        .isEqualTo("node.example:1");
  }

  private Step next(Set<InetSocketAddress> listed, Map<InetSocketAddress, Sighting> seen) {
    return founding.next(nowNanos, listed, true, seen);
  }

  private static Ring ring(int nodes, long coordinator) {
    return new Ring(nodes, 0, 1, new UUID(0, coordinator));
  }

  private static Sighting member(Ring ring) {
    return Sighting.of(Status.member(ring.coordinator(), ring, false));
  }

  private static Sighting outside(UUID node, Stage stage) {
    return Sighting.of(Status.outside(node, stage));
  }

  private static InetSocketAddress address(int host) {
    return new InetSocketAddress("127.0.0." + host, 47_500);
  }
}
