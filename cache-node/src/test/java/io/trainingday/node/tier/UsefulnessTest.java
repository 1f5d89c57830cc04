package io.trainingday.node.tier;

import static org.assertj.core.api.Assertions.assertThat;

import io.trainingday.grid.SampleKey;
import io.trainingday.node.versions.VersionKeys.Reach;
import java.util.BitSet;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;

class UsefulnessTest {
  private static final SampleKey KEY = new SampleKey(1, 2, 3, 4, 0, 5);

  private final AtomicLong clock = new AtomicLong(Long.MAX_VALUE - 5); // wraps, as nanoTime may
  private final BitSet held = new BitSet();
  private Reach reach = Reach.REACHABLE;
  private final Usefulness usefulness;

  UsefulnessTest() {
    held.set(0, 64);
    usefulness = new Usefulness(key -> reach, 64, () -> held, clock::get);
  }

  private void pass(long nanos) {
    clock.addAndGet(nanos + 1);
  }

  @Test
  void reachable_ofAnOwnPartition_isKeptForEver() {
    pass(100 * Usefulness.FOREIGN_TERM_NANOS);
    assertThat(usefulness.isOfNoUse(KEY)).isFalse();
    assertThat(usefulness.isOfLittleUse(KEY)).isFalse();
  }

  @Test
  void unreachable_isOfNoUseAtOnce() {
    reach = Reach.UNREACHABLE;
    assertThat(usefulness.isOfNoUse(KEY)).isTrue();
    assertThat(usefulness.isOfLittleUse(KEY)).isTrue();
  }

  @Test
  void dataSetWithoutAVersionKey_isKept_butForRoomAfterAnHour() {
    reach = Reach.UNKNOWN;
    assertThat(usefulness.isOfNoUse(KEY)).isFalse();
    assertThat(usefulness.isOfLittleUse(KEY)).isFalse();

    pass(Usefulness.UNKNOWN_TERM_FOR_ROOM_NANOS);
    assertThat(usefulness.isOfNoUse(KEY)).isFalse();
    assertThat(usefulness.isOfLittleUse(KEY)).isTrue();

    reach = Reach.REACHABLE;
    assertThat(usefulness.isOfLittleUse(KEY)).isFalse();
  }

  @Test
  void partitionOfOtherNodes_isKeptForAWhile_fromWhenItWentThere() {
    pass(Usefulness.FOREIGN_TERM_NANOS);
    held.clear(usefulness.partition(KEY));
    usefulness.ownersChanged();
    assertThat(usefulness.isOfLittleUse(KEY)).isFalse();

    pass(Usefulness.FOREIGN_TERM_FOR_ROOM_NANOS);
    usefulness.ownersChanged();
    assertThat(usefulness.isOfLittleUse(KEY)).isTrue();
    assertThat(usefulness.isOfNoUse(KEY)).isFalse();

    pass(Usefulness.FOREIGN_TERM_NANOS);
    assertThat(usefulness.isOfNoUse(KEY)).isTrue();

    held.set(usefulness.partition(KEY));
    usefulness.ownersChanged();
    assertThat(usefulness.isOfNoUse(KEY)).isFalse();
    assertThat(usefulness.isOfLittleUse(KEY)).isFalse();
  }
}
