package io.trainingday.node.consistency;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.trainingday.node.consistency.ConsistencyChecker.Kind;
import io.trainingday.node.consistency.ConsistencyChecker.Violation;
import io.trainingday.node.consistency.Operation.Publish;
import io.trainingday.node.consistency.Operation.Read;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

class ConsistencyCheckerTest {
  private static final List<Publish> PUBLISHES =
      List.of(
          Publish.of(100, 200, 1, 5, 6),
          Publish.ofAll(300, 400, 2),
          Publish.of(500, Operation.NEVER, 3, 5),
          Publish.of(600, 700, 4, 6, 7));

  private final ConsistencyChecker checker = new ConsistencyChecker(PUBLISHES);

  private List<Kind> check(Read... reads) {
    return checker.check(List.of(reads)).stream().map(Violation::kind).toList();
  }

  private static Read read(long start, long index, long version) {
    return new Read(start, start + 10, index, index, version);
  }

  @Test
  void check_currentContent_isFine() {
    assertThat(
            check(
                read(0, 5, 0),
                read(201, 5, 1),
                read(201, 8, 0),
                read(401, 5, 2),
                read(401, 8, 2),
                read(701, 6, 4),
                read(701, 8, 2)))
        .isEmpty();
  }

  @Test
  void check_olderContentAfterThePublishReturned_isStale() {
    assertThat(check(read(201, 5, 0))).containsExactly(Kind.STALE);
    assertThat(check(read(401, 5, 1))).containsExactly(Kind.STALE);
    assertThat(check(read(401, 8, 0))).containsExactly(Kind.STALE);
    assertThat(check(read(701, 6, 2))).containsExactly(Kind.STALE);
    assertThat(checker.check(List.of(read(201, 5, 0))).get(0).why())
        .isEqualTo("version 1 had been published 1 ns before");
  }

  @Test
  void check_olderContentBeforeThePublishReturned_isFine() {
    assertThat(check(read(199, 5, 0), read(200, 5, 0), read(150, 5, 1), read(650, 6, 2))).isEmpty();
  }

  @Test
  void check_publishThatNeverReturned_isNotRequiredButAllowed() {
    assertThat(check(read(10_000, 5, 2), read(10_000, 5, 3))).isEmpty();
  }

  @Test
  void check_contentOfAnotherSample_isWrong() {
    assertThat(check(new Read(0, 1, 5, 6, 0))).containsExactly(Kind.WRONG_CONTENT);
  }

  @Test
  void check_versionThatTheSampleNeverHad_isWrong() {
    assertThat(check(read(800, 5, 4))).containsExactly(Kind.WRONG_CONTENT);
    assertThat(check(read(800, 8, 9))).containsExactly(Kind.WRONG_CONTENT);
  }

  @Test
  void check_versionFromTheFuture_isWrong() {
    assertThat(check(read(80, 5, 1))).containsExactly(Kind.WRONG_CONTENT);
    assertThat(check(read(95, 5, 1))).isEmpty();
  }

  @Test
  void check_plantedInAnHonestLog_findsEachAndNothingElse() {
    Random random = new Random(7);
    List<Publish> publishes = new ArrayList<>();
    List<Read> reads = new ArrayList<>();
    List<Read> planted = new ArrayList<>();
    long[] versions = new long[50];
    long now = 0;
    for (long version = 1; version <= 300; version++) {
      long start = now;
      long[] changed = random.longs(1 + random.nextInt(5), 0, 50).distinct().toArray();
      now += 1 + random.nextInt(100);
      publishes.add(Publish.of(start, now, version, changed));
      for (long index : changed) {
        if (random.nextInt(10) == 0) {
          Read stale = read(now + 1, index, versions[(int) index]);
          planted.add(stale);
          reads.add(stale);
        }
        versions[(int) index] = version;
      }
      for (int i = 0; i < 20; i++) {
        int index = random.nextInt(50);
        reads.add(new Read(++now, now + 5, index, index, versions[index]));
      }
      now += 10;
    }

    List<Violation> found = new ConsistencyChecker(publishes).check(reads);

    assertThat(planted).hasSizeGreaterThan(50);
    assertThat(found).extracting(Violation::read).isEqualTo(planted);
    assertThat(found).extracting(Violation::kind).containsOnly(Kind.STALE);
  }

  @Test
  void publishes_withTheSameVersion_areRefused() {
    assertThatThrownBy(
            () -> new ConsistencyChecker(List.of(Publish.ofAll(1, 2, 1), Publish.of(1, 2, 1, 5))))
        .isInstanceOf(IllegalArgumentException.class);
  }

  @Test
  void lines_surviveTheRoundTrip() {
    List<Operation> operations = new ArrayList<>(PUBLISHES);
    operations.add(new Read(-5, 7, 1, 2, 3));
    operations.add(Publish.of(1, 2, 9));
    for (Operation operation : operations) {
      assertThat(Operation.parse(operation.toLine())).isEqualTo(operation);
    }
    assertThatThrownBy(() -> Operation.parse("R 1 2"))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage("no line of a log: R 1 2");
  }
}
