package io.trainingday.node.recovery;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Arrays;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;

class RestoreRuleTest {
  private static final Life LIFE = new Life(1, 3, 30);
  private static final Life NEXT = new Life(1, 4, 40);

  private static Electorate nodes(Life life, long version, String... names) {
    return new Electorate(life, version, new TreeSet<>(Arrays.asList(names)));
  }

  private static Kept kept(String node, Electorate formed, Electorate... attempts) {
    return new Kept(node, formed.life(), Set.of(), formed, List.of(attempts), List.of(), false);
  }

  private static void assertRestores(Verdict verdict, Life life, long term, String... sources) {
    assertThat(verdict)
        .isInstanceOfSatisfying(
            Verdict.Restore.class,
            restore -> {
              assertThat(restore.life()).isEqualTo(life);
              assertThat(restore.nextTerm()).isEqualTo(term);
              assertThat(restore.sources()).containsExactlyInAnyOrder(sources);
            });
  }

  private static void assertWaits(Verdict verdict, String why) {
    assertThat(verdict)
        .isInstanceOfSatisfying(
            Verdict.Waiting.class, waiting -> assertThat(waiting.reason()).isEqualTo(why));
  }

  @Test
  void nobodyKeptAnything_isANewGrid() {
    assertThat(RestoreRule.decide(List.of())).isInstanceOf(Verdict.Nothing.class);
  }

  @Test
  void loneMember_goesOnAtOnce() {
    assertRestores(RestoreRule.decide(List.of(kept("a", nodes(LIFE, 5, "a")))), LIFE, 4, "a");
  }

  @Test
  void majority_goesOn_lessWaits() {
    Electorate three = nodes(LIFE, 5, "a", "b", "c");

    assertWaits(
        RestoreRule.decide(List.of(kept("b", three))),
        "of the nodes that were in the grid last, [a, b, c], only [b] are here with what they kept,"
            + " no majority");
    assertRestores(
        RestoreRule.decide(List.of(kept("b", three), kept("c", three))), LIFE, 4, "b", "c");
  }

  @Test
  void half_neverGoesOn_soTwoHalvesCannot() {
    Electorate four = nodes(LIFE, 5, "a", "b", "c", "d");
    assertThat(RestoreRule.decide(List.of(kept("a", four), kept("b", four))))
        .isInstanceOf(Verdict.Waiting.class);
    Electorate two = nodes(LIFE, 6, "a", "b");
    assertThat(RestoreRule.decide(List.of(kept("a", two)))).isInstanceOf(Verdict.Waiting.class);
  }

  @Test
  void newestMembership_counts_andOldNodesGiveNothing() {
    Kept old = kept("c", nodes(LIFE, 5, "a", "b", "c"));
    Kept newer = kept("a", nodes(LIFE, 6, "a", "b"));

    assertWaits(
        RestoreRule.decide(List.of(old, newer)),
        "of the nodes that were in the grid last, [a, b], only [a] are here with what they kept, no"
            + " majority");
    assertRestores(
        RestoreRule.decide(List.of(old, newer, kept("b", nodes(LIFE, 6, "a", "b")))),
        LIFE,
        4,
        "a",
        "b");
  }

  @Test
  void attemptSinceTheLastMembership_needsItsMajorityToo() {
    Electorate three = nodes(LIFE, 5, "a", "b", "c");
    Electorate attempt = nodes(LIFE, 6, "a", "b");

    assertThat(RestoreRule.decide(List.of(kept("b", three, attempt), kept("c", three))))
        .isInstanceOf(Verdict.Waiting.class);
    assertRestores(
        RestoreRule.decide(List.of(kept("b", three, attempt), kept("a", three))),
        LIFE,
        4,
        "a",
        "b");
  }

  @Test
  void nodesThatOnlyJoined_knowNothing() {
    Electorate attempt = nodes(LIFE, 6, "a", "j", "k");
    Kept j = new Kept("j", LIFE, Set.of(), null, List.of(attempt), List.of(), false);
    Kept k = new Kept("k", LIFE, Set.of(), null, List.of(attempt), List.of(), false);

    assertWaits(
        RestoreRule.decide(List.of(j, k)),
        "the nodes here had only just joined the grid; one of those that were in it is missing");
    assertRestores(
        RestoreRule.decide(List.of(j, kept("a", nodes(LIFE, 5, "a"), attempt))), LIFE, 4, "a", "j");
  }

  @Test
  void nodeThatLeftInOrder_isNotCounted() {
    Electorate two = nodes(LIFE, 5, "a", "b");
    Kept left = kept("b", two).leaving();

    assertWaits(
        RestoreRule.decide(List.of(left)),
        "of the nodes that were in the grid last, [a, b], only [b] are here with what they kept, of"
            + " which [b] left before the others");
    assertRestores(RestoreRule.decide(List.of(left, kept("a", two))), LIFE, 4, "a", "b");
    Electorate three = nodes(LIFE, 5, "a", "b", "c");
    // The one that is missing may have gone on alone after both had left.
    assertThat(RestoreRule.decide(List.of(kept("a", three).leaving(), kept("b", three).leaving())))
        .isInstanceOf(Verdict.Waiting.class);
    assertRestores(
        RestoreRule.decide(
            List.of(
                kept("a", three).leaving(),
                kept("b", three).leaving(),
                kept("c", three).leaving())),
        LIFE,
        4,
        "a",
        "b",
        "c");
  }

  @Test
  void nodeThatLeftLongAgo_holdsNobodyUp() {
    assertRestores(
        RestoreRule.decide(
            List.of(
                kept("a", nodes(LIFE, 9, "a", "b")),
                kept("b", nodes(LIFE, 9, "a", "b")),
                kept("c", nodes(LIFE, 3, "a", "b", "c")).leaving())),
        LIFE,
        4,
        "a",
        "b");
  }

  @Test
  void promisedLife_mayHaveBegun() {
    Electorate three = nodes(LIFE, 5, "a", "b", "c");
    Electorate promised = nodes(NEXT, 2, "a", "b");
    Kept b = kept("b", three).promising(List.of(promised));

    assertThat(RestoreRule.decide(List.of(b, kept("c", three))))
        .isInstanceOf(Verdict.Waiting.class);
    // All who had promised are here, and none of them is in that life.
    assertRestores(
        RestoreRule.decide(List.of(b, kept("a", three).promising(List.of(promised)))),
        LIFE,
        5,
        "a",
        "b");
    // One of them is.
    assertRestores(RestoreRule.decide(List.of(b, kept("a", promised))), NEXT, 5, "a");
  }

  @Test
  void coldStart_isGoneBackBehindByNobodyWhoKnowsOfIt() {
    Electorate three = nodes(LIFE, 5, "a", "b", "c");
    Life cold = new Life(2, 1, 90);
    Kept c = new Kept("c", cold, Set.of(1L), nodes(cold, 1, "c"), List.of(), List.of(), false);

    assertRestores(
        RestoreRule.decide(List.of(kept("a", three), kept("b", three), c)), cold, 2, "c");
  }

  @Test
  void gridsThatDidNotKnowOfEachOther_waitForOneThatDid() {
    Life other = new Life(7, 9, 90);

    assertWaits(
        RestoreRule.decide(
            List.of(kept("a", nodes(LIFE, 5, "a")), kept("b", nodes(other, 5, "b")))),
        "the nodes here kept version keys of grids of which none replaced all others; a node of the"
            + " grid that was last is missing");
    Life last = new Life(8, 1, 91);
    Kept c = new Kept("c", last, Set.of(1L, 7L), nodes(last, 1, "c"), List.of(), List.of(), false);
    assertRestores(
        RestoreRule.decide(
            List.of(kept("a", nodes(LIFE, 5, "a")), kept("b", nodes(other, 5, "b")), c)),
        last,
        2,
        "c");
  }
}
