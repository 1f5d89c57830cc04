package io.trainingday.node.membership;

import static io.trainingday.node.membership.FakeMembership.id;
import static org.assertj.core.api.Assertions.assertThat;

import io.trainingday.config.Settings.SmallGrids;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class ServingLeaseTest {
  private static final Duration TERM = Duration.ofSeconds(10);
  private static final long HELD_FOR = TERM.toNanos() - TERM.toNanos() / 100;

  private final Map<UUID, CompletableFuture<Boolean>> pings = new HashMap<>();
  private FakeMembership membership = new FakeMembership(SmallGrids.STOP, 1, 2, 3);
  private ServingLease lease = lease();
  private long now = 1_000;

  private ServingLease lease() {
    return new ServingLease(
        membership,
        TERM,
        node -> {
          CompletableFuture<Boolean> answer = new CompletableFuture<>();
          pings.put(node, answer);
          return answer;
        },
        () -> now);
  }

  private void gridOf(SmallGrids smallGrids, int... nodes) {
    lease.close();
    membership = new FakeMembership(smallGrids, nodes);
    lease = lease();
  }

  private CompletableFuture<Boolean> ping(int node) {
    return Objects.requireNonNull(pings.get(id(node)));
  }

  @AfterEach
  void close() {
    lease.close();
  }

  @Test
  void isHeld_aloneInTheGrid_atOnce() {
    gridOf(SmallGrids.STOP, 1);
    assertThat(lease.isHeld()).isFalse();

    lease.renew();

    assertThat(lease.isHeld()).isTrue();
    assertThat(lease.trouble()).isEmpty();
    assertThat(pings).isEmpty();
  }

  @Test
  void isHeld_untilATermAfterThePingsWereSent() {
    lease.renew();
    now += 3_000_000_000L;
    assertThat(lease.isHeld()).isFalse();
    ping(2).complete(true);

    assertThat(lease.isHeld()).isTrue();
    now = 1_000 + HELD_FOR - 1;
    assertThat(lease.isHeld()).isTrue();
    now++;
    assertThat(lease.isHeld()).isFalse();
    assertThat(lease.trouble())
        .contains("this node has not heard from a majority of the grid in time");
  }

  @Test
  void isHeld_answerToAnOldRound_doesNotShortenIt() {
    lease.renew();
    CompletableFuture<Boolean> old = ping(2);
    now += 5_000_000_000L;
    lease.renew();
    ping(3).complete(true);
    old.complete(true);

    now += HELD_FOR - 1;
    assertThat(lease.isHeld()).isTrue();
  }

  @Test
  void isHeld_answersThatComeAfterAPause_areTooLate() {
    lease.renew();
    now += 2 * TERM.toNanos();
    ping(2).complete(true);
    ping(3).complete(true);

    assertThat(lease.isHeld()).isFalse();
  }

  @Test
  void isHeld_oneOfThreeRefusesAndOneFails_isNot() {
    lease.renew();
    ping(2).complete(false);
    ping(3).completeExceptionally(new IllegalStateException("gone"));

    assertThat(lease.isHeld()).isFalse();
    assertThat(membership.isExpelled()).isFalse();
  }

  @Test
  void isHeld_attemptMadeMeanwhile_needsItsMajorityToo() {
    lease.renew();
    membership.become(
        new MembershipState(
            FakeMembership.membership(1, 2, 3, 4, 5),
            List.of(FakeMembership.membership(1, 2, 3), FakeMembership.membership(1, 2, 3, 4, 5)),
            null,
            0,
            false));
    ping(2).complete(true);
    assertThat(lease.isHeld()).isFalse();

    ping(3).complete(true);
    assertThat(lease.isHeld()).isTrue();
  }

  @Test
  void isHeld_nodeOutsideOfTheView_isNotPinged() {
    membership.see(null, 1, 2);
    lease.renew();

    assertThat(pings).containsOnlyKeys(id(2));
  }

  @Test
  void isHeld_pairWhoseOtherRefuses_isOutForGood() {
    gridOf(SmallGrids.SERVE, 1, 2);
    lease.renew();
    ping(2).complete(false);

    assertThat(lease.isHeld()).isFalse();
    assertThat(membership.isExpelled()).isTrue();
  }

  @Test
  void isHeld_pairWhoseOtherIsSilent_isAsTheSettingSays() {
    for (SmallGrids smallGrids : SmallGrids.values()) {
      gridOf(smallGrids, 1, 2);
      lease.renew();
      assertThat(lease.isHeld()).isFalse();
      ping(2).completeExceptionally(new IllegalStateException("no answer"));

      assertThat(lease.isHeld()).isEqualTo(smallGrids == SmallGrids.SERVE);
      assertThat(membership.isExpelled()).isFalse();
    }
  }

  @Test
  void isHeld_pingThatThrows_isSilence() {
    lease.close();
    lease =
        new ServingLease(
            membership,
            TERM,
            node -> {
              throw new IllegalStateException("no lane");
            },
            () -> now);
    lease.renew();

    assertThat(lease.isHeld()).isFalse();
  }

  @Test
  void awaitHeld_answersWhenItIs() throws Exception {
    assertThat(lease.awaitHeld(Duration.ofMillis(10))).isFalse();
    lease.renew();
    ping(2).completeAsync(() -> true);

    assertThat(lease.awaitHeld(Duration.ofSeconds(20))).isTrue();
  }

  @Test
  void close_givesItUpForGood() {
    lease.renew();
    ping(2).complete(true);
    lease.close();
    assertThat(lease.isHeld()).isFalse();

    lease.renew();
    ping(2).complete(true);
    assertThat(lease.isHeld()).isFalse();
  }
}
