package io.trainingday.node.membership;

import static org.assertj.core.api.Assertions.assertThat;

import io.trainingday.config.Settings.SmallGrids;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.UUID;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Agreement step by step; {@link MembershipModelTest} has what must hold in any history. */
class AgreementTest {
  private static final long LEASE = 2_000;

  private final Map<Integer, Agreement> nodes = new HashMap<>();
  private long version;
  private long now = 100;

  private static UUID id(int node) {
    return new UUID(7, node);
  }

  private Membership membership(Integer... members) {
    Map<UUID, String> names = new HashMap<>();
    // Node 12 is node 2 come back, and so on.
    Arrays.stream(members).forEach(node -> names.put(id(node), "node" + node % 10));
    return new Membership(version, names);
  }

  /** Discovery shows these nodes to these. */
  private void show(List<Integer> to, Integer... members) {
    show(to, null, members);
  }

  private void show(List<Integer> to, @Nullable UUID left, Integer... members) {
    version++;
    Membership view = membership(members);
    for (int node : to) {
      Agreement known = nodes.get(node);
      if (known == null) {
        nodes.put(
            node, new Agreement(id(node), SmallGrids.STOP, LEASE, nodes.isEmpty(), view, now));
      } else {
        known.viewChanged(view, left, now);
      }
    }
  }

  /** Every node of the list hears every other's note as it is now. */
  private void tell(Integer... among) {
    Map<Integer, Letter.Note> notes = new HashMap<>();
    Arrays.stream(among).forEach(node -> notes.put(node, node(node).note()));
    for (int to : among) {
      notes.forEach((from, note) -> node(to).heard(id(from), note, now));
    }
  }

  private void form(Integer... members) {
    show(Arrays.asList(members), members);
    tell(members);
    tell(members);
    assertThat(formed()).contains(members);
  }

  private List<Integer> formed() {
    List<Integer> formed = new ArrayList<>();
    nodes.forEach(
        (node, agreement) -> {
          if (agreement.isFormed()) {
            formed.add(node);
          }
        });
    return formed;
  }

  private Agreement node(int node) {
    return Objects.requireNonNull(nodes.get(node));
  }

  private @Nullable Membership lost(int node) {
    return node(node).state().lostMajorityOf();
  }

  private void found() {
    show(List.of(1), 1);
    form(1, 2);
    form(1, 2, 3);
  }

  @Test
  void founder_alone_isTheGrid() {
    show(List.of(1), 1);

    assertThat(formed()).containsExactly(1);
    assertThat(node(1).state().isSettled()).isTrue();
    assertThat(node(1).state().outsidersServeUntilNanos()).isEqualTo(now);
  }

  @Test
  void joiner_beforeItHasHeard_hasNoElectorate() {
    show(List.of(1), 1);
    show(List.of(1, 2), 1, 2);

    assertThat(node(2).state().electorates()).isEmpty();
    assertThat(node(2).state().isSettled()).isFalse();
    // Whoever serves now is asked; the joiner cannot serve without the founder's attempt.
    assertThat(node(1).state().isSettled()).isTrue();
    assertThat(node(1).state().mayServe()).containsExactly(id(1));
  }

  @Test
  void joiner_leftAloneBeforeItHasHeard_neverMakesAGridOfItsOwn() {
    found();
    show(List.of(1, 2, 3, 4), 1, 2, 3, 4);
    show(List.of(4), 4);

    assertThat(formed()).doesNotContain(4);
    assertThat(node(4).state().electorates()).isEmpty();
  }

  @Test
  void oneOfThree_dies_theOthersGoOnAfterOneLease() {
    found();
    now = 5_000;
    show(List.of(1, 2), 1, 2);

    assertThat(node(1).state().isSettled()).isFalse();
    tell(1, 2);
    assertThat(node(1).state().isSettled()).isFalse();
    tell(1, 2);
    assertThat(node(1).state().isSettled()).isTrue();
    assertThat(node(1).state().mayServe()).containsExactlyInAnyOrder(id(1), id(2));
    assertThat(node(1).state().outsidersServeUntilNanos()).isEqualTo(5_000 + LEASE);
  }

  @Test
  void oneOfThree_leavesInOrder_isWaitedForByNobody() {
    found();
    long before = node(1).state().outsidersServeUntilNanos();
    now = 5_000;
    show(List.of(1, 2), id(3), 1, 2);

    assertThat(node(1).state().isSettled()).isTrue();
    tell(1, 2);
    tell(1, 2);
    assertThat(formed()).contains(1, 2);
    assertThat(node(1).state().outsidersServeUntilNanos()).isEqualTo(before);
  }

  @Test
  void twoOfThree_leaveInOrder_oneIsEnough() {
    found();
    show(List.of(1, 2), id(3), 1, 2);
    show(List.of(1), id(2), 1);

    assertThat(formed()).contains(1);
    assertThat(lost(1)).isNull();
  }

  @Test
  void minority_ofACut_neverShrinksTheGridToItself() {
    found();
    show(List.of(1), 1);
    show(List.of(2, 3), 2, 3);
    tell(2, 3);
    tell(2, 3);

    assertThat(formed()).containsExactly(2, 3);
    assertThat(lost(1)).isEqualTo(node(1).note().formed());
    assertThat(node(1).state().isSettled()).isFalse();
  }

  @Test
  void cut_whileTwoJoinThree_leavesOneSideAtMost() {
    found();
    show(List.of(1, 2, 3, 4), 1, 2, 3, 4);
    show(List.of(1, 2, 3, 4, 5), 1, 2, 3, 4, 5);
    tell(1, 2, 3, 4, 5);
    // All have attempted the five. 1, 4 and 5 hear so, 2 and 3 do not.
    List<Letter.Note> notes = List.of(node(2).note(), node(3).note());
    tell(1, 4, 5);
    for (int node : List.of(1, 4, 5)) {
      node(node).heard(id(2), notes.get(0), now);
      node(node).heard(id(3), notes.get(1), now);
    }
    assertThat(formed()).containsExactly(1, 4, 5);

    show(List.of(1, 4, 5), 1, 4, 5);
    show(List.of(2, 3), 2, 3);
    tell(1, 4, 5);
    tell(1, 4, 5);
    tell(2, 3);
    tell(2, 3);

    // 2 and 3 are a majority of the three they know of, but not of the five that may be.
    assertThat(formed()).containsExactly(1, 4, 5);
    assertThat(lost(2)).isEqualTo(node(2).note().attempts().get(0));
    LeaseRound round = new LeaseRound(now);
    round.answered(id(3), LeaseRound.Answer.ACCEPTED);
    MembershipState state = node(2).state();
    assertThat(round.grants(id(2), state.view(), state.electorates(), SmallGrids.STOP)).isFalse();
  }

  @Test
  void attempt_thatOneOfItsNodesDidNotMake_isForgotten() {
    found();
    show(List.of(1, 2, 3, 4), 1, 2, 3, 4);
    // Only 4 hears from all, and attempts.
    for (int from : List.of(1, 2, 3)) {
      node(4).heard(id(from), node(from).note(), now);
    }
    assertThat(node(4).note().attempts()).hasSize(1);

    show(List.of(1, 4), 1, 4);
    show(List.of(2, 3), 2, 3);
    tell(1, 4);

    assertThat(node(4).note().attempts()).isEmpty();
  }

  @Test
  void two_oneFails_theOtherStopsUntilItIsBack() {
    show(List.of(1), 1);
    form(1, 2);
    show(List.of(1), 1);
    assertThat(lost(1)).isNotNull();

    form(1, 12);
    assertThat(node(1).state().isSettled()).isTrue();
  }

  @Test
  void two_oneFailsAndAStrangerComes_theOtherStillStops() {
    show(List.of(1), 1);
    form(1, 2);
    show(List.of(1, 3), 1, 3);
    tell(1, 3);
    tell(1, 3);

    assertThat(formed()).doesNotContain(1, 3);
  }

  @Test
  void three_twoFailAndComeBack_areNotTheGrid() {
    found();
    show(List.of(1, 12, 13), 1, 12, 13);
    tell(1, 12, 13);
    tell(1, 12, 13);

    // 2 and 3 may have gone on without 1, and have published, before they died.
    assertThat(formed()).doesNotContain(1, 12, 13);
    assertThat(lost(1)).isNotNull();
  }

  @Test
  void behind_namesWhoIsMissing() {
    show(List.of(1), 1);
    show(List.of(1, 2), 1, 2);
    show(List.of(1, 2, 3), 1, 2, 3);
    assertThat(node(1).behind()).containsExactlyInAnyOrder(id(2), id(3));

    node(1).heard(id(2), node(2).note(), now);
    assertThat(node(1).behind()).containsExactly(id(3));

    node(1).heard(id(3), node(3).note(), now);
    assertThat(node(1).note().attempted()).isTrue();
    assertThat(node(1).behind()).containsExactlyInAnyOrder(id(2), id(3));

    tell(1, 2, 3);
    tell(1, 2, 3);
    assertThat(node(1).behind()).isEmpty();
  }

  @Test
  void notes_ofAnotherView_doNotCount() {
    show(List.of(1), 1);
    show(List.of(1, 2), 1, 2);
    Letter.Note before = node(2).note();
    show(List.of(1, 2), 1, 2);
    node(1).heard(id(2), before, now);

    assertThat(node(1).note().attempted()).isFalse();
    tell(1, 2);
    node(1).heard(id(2), before, now);
    tell(1, 2);
    assertThat(formed()).containsExactly(1, 2);
  }

  @Test
  void longestLease_ofAnyNode_isWaitedFor() {
    found();
    Letter.Note note = node(2).note();
    node(1)
        .heard(
            id(2),
            new Letter.Note(
                false, note.view(), note.attempted(), note.formed(), note.attempts(), 5 * LEASE),
            now);
    now = 5_000;
    show(List.of(1, 2), 1, 2);
    tell(1, 2);
    tell(1, 2);

    assertThat(node(2).state().outsidersServeUntilNanos()).isEqualTo(5_000 + 5 * LEASE);
  }

  @ParameterizedTest
  @EnumSource(SmallGrids.class)
  void round_ofTwo_countsSilenceAsTheSettingSays(SmallGrids smallGrids) {
    Membership two = membership(1, 2);
    LeaseRound round = new LeaseRound(now);
    assertThat(round.grants(id(1), two, List.of(two), smallGrids)).isFalse();

    round.answered(id(2), LeaseRound.Answer.SILENT);
    boolean serves = smallGrids == SmallGrids.SERVE;
    assertThat(round.grants(id(1), two, List.of(two), smallGrids)).isEqualTo(serves);

    round.answered(id(2), LeaseRound.Answer.REFUSED);
    assertThat(round.grants(id(1), two, List.of(two), smallGrids)).isFalse();
    assertThat(round.isExpelled(List.of(two), smallGrids)).isEqualTo(serves);

    round.answered(id(2), LeaseRound.Answer.ACCEPTED);
    assertThat(round.grants(id(1), two, List.of(two), smallGrids)).isTrue();
  }

  @Test
  void round_ofThree_needsOneOther() {
    Membership three = membership(1, 2, 3);
    LeaseRound round = new LeaseRound(now);
    round.answered(id(2), LeaseRound.Answer.SILENT);
    round.answered(id(3), LeaseRound.Answer.REFUSED);
    assertThat(round.grants(id(1), three, List.of(three), SmallGrids.SERVE)).isFalse();
    assertThat(round.isExpelled(List.of(three), SmallGrids.SERVE)).isFalse();

    round.answered(id(2), LeaseRound.Answer.ACCEPTED);
    assertThat(round.grants(id(1), three, List.of(three), SmallGrids.SERVE)).isTrue();
    assertThat(round.grants(id(1), three, List.of(), SmallGrids.SERVE)).isFalse();
  }
}
