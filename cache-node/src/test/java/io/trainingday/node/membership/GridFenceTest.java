package io.trainingday.node.membership;

import static io.trainingday.node.membership.FakeMembership.id;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.trainingday.config.Settings.SmallGrids;
import io.trainingday.node.membership.FenceException.Reason;
import java.time.Duration;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.Test;

class GridFenceTest {
  private static final Change CHANGE = new Change(1, 2, 3, 4);

  private final FakeMembership membership = new FakeMembership(SmallGrids.SERVE, 1, 2, 3);
  private final AtomicBoolean here = new AtomicBoolean(true);
  private final Set<UUID> confirming = ConcurrentHashMap.newKeySet();
  private final GridFence fence =
      new GridFence(membership, change -> change.equals(CHANGE) && here.get());

  GridFenceTest() {
    membership.settle(System.nanoTime(), 1, 2, 3);
    membership.reader(
        (node, letter) -> {
          Letter.Question question = (Letter.Question) letter;
          assertThat(question.change()).isEqualTo(CHANGE);
          fence.answered(node, new Letter.Answer(question.number(), confirming.contains(node)));
        });
  }

  private static long in(Duration time) {
    return System.nanoTime() + time.toNanos();
  }

  private void pass(Duration patience) {
    fence.pass(CHANGE, in(patience));
  }

  private CompletableFuture<Void> passing() {
    return CompletableFuture.runAsync(() -> pass(Duration.ofSeconds(20)));
  }

  private static void assertWaits(CompletableFuture<Void> passing) {
    assertThatThrownBy(() -> passing.get(300, TimeUnit.MILLISECONDS))
        .isInstanceOf(TimeoutException.class);
  }

  private static void assertPasses(CompletableFuture<Void> passing) throws Exception {
    passing.get(20, TimeUnit.SECONDS);
  }

  @Test
  void pass_allConfirm_asksEachOtherOnce() {
    confirming.addAll(Set.of(id(2), id(3)));

    pass(Duration.ofSeconds(20));

    assertThat(membership.sentTo()).containsExactlyInAnyOrder(id(2), id(3));
  }

  @Test
  void pass_oneDoesNotConfirm_asksItAgainUntilItDoes() throws Exception {
    confirming.add(id(2));
    CompletableFuture<Void> passing = passing();
    assertWaits(passing);

    confirming.add(id(3));
    assertPasses(passing);
    assertThat(membership.sentTo()).containsOnlyOnce(id(2));
  }

  @Test
  void pass_notSeenHere_waits() throws Exception {
    confirming.addAll(Set.of(id(2), id(3)));
    here.set(false);
    CompletableFuture<Void> passing = passing();
    assertWaits(passing);

    here.set(true);
    assertPasses(passing);
  }

  @Test
  void pass_deadline_namesWhoHasNotConfirmed() {
    confirming.add(id(2));

    assertThatThrownBy(() -> pass(Duration.ofMillis(50)))
        .isInstanceOfSatisfying(
            FenceException.class, e -> assertThat(e.reason()).isEqualTo(Reason.UNCONFIRMED))
        .hasMessage("these nodes have not confirmed: node3");
  }

  @Test
  void pass_memberFails_waitsForTheNewMembershipAndItsLease() throws Exception {
    confirming.add(id(2));
    CompletableFuture<Void> passing = passing();
    assertWaits(passing);
    membership.see(null, 1, 2);
    assertWaits(passing);

    long until = in(Duration.ofSeconds(1));
    membership.settle(until, 1, 2);
    assertWaits(passing);
    assertPasses(passing);
    assertThat(System.nanoTime() - until).isNotNegative();
  }

  @Test
  void pass_memberFailsAfterItConfirmed_isNotWaitedFor() throws Exception {
    confirming.add(id(2));
    CompletableFuture<Void> passing = passing();
    assertWaits(passing);
    membership.settle(System.nanoTime(), 1, 2);

    assertPasses(passing);
  }

  @Test
  void pass_nodeComesInMeanwhile_isAskedToo() throws Exception {
    confirming.add(id(2));
    CompletableFuture<Void> passing = passing();
    assertWaits(passing);
    membership.settle(System.nanoTime(), 1, 2, 3, 4);
    confirming.add(id(3));
    assertWaits(passing);

    confirming.add(id(4));
    assertPasses(passing);
  }

  @Test
  void pass_joinerThatIsNoMemberYet_isNotAsked() {
    confirming.addAll(Set.of(id(2), id(3)));
    membership.see(null, 1, 2, 3, 4);

    pass(Duration.ofSeconds(20));

    assertThat(membership.sentTo()).doesNotContain(id(4));
  }

  @Test
  void pass_majorityLost_isRefused() {
    membership.see(FakeMembership.membership(1, 2, 3), 1);

    assertThatThrownBy(fence::requireMajority)
        .isInstanceOfSatisfying(
            FenceException.class, e -> assertThat(e.reason()).isEqualTo(Reason.MINORITY))
        .hasMessage("no majority");
    assertThatThrownBy(() -> pass(Duration.ofSeconds(20)))
        .isInstanceOfSatisfying(
            FenceException.class, e -> assertThat(e.reason()).isEqualTo(Reason.MINORITY));
  }

  @Test
  void pass_nodeStops_ends() throws Exception {
    CompletableFuture<Void> passing = passing();
    assertWaits(passing);
    membership.close();

    assertThatThrownBy(() -> passing.get(20, TimeUnit.SECONDS))
        .rootCause()
        .isInstanceOfSatisfying(
            FenceException.class, e -> assertThat(e.reason()).isEqualTo(Reason.UNCONFIRMED))
        .hasMessage("this node stops");
  }
}
