package io.trainingday.node.lane;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;

class LoadTimesTest {
  private final ReadCounters counters = new ReadCounters("default/one");
  private final LoadTimes times = new LoadTimes();

  @Test
  void filled_allOfABatch_countsFromItsReplyToItsLastRecord() {
    times.given(counters, new long[] {1, 2, 3}, 100);
    times.filled(2, 150);
    times.filled(1, 160);
    assertThat(counters.timedLoads.sum()).isZero();
    times.filled(3, 400);

    assertThat(counters.timedLoads.sum()).isEqualTo(3);
    assertThat(counters.loadNanos.sum()).isEqualTo(300);
  }

  @Test
  void filled_sentOnceMore_countsOnce() {
    times.given(counters, new long[] {1, 2}, 100);
    times.filled(1, 150);
    times.filled(1, 190);
    times.filled(0, 195); // Without a lease.
    times.filled(2, 200);
    times.filled(2, 900);

    assertThat(counters.timedLoads.sum()).isEqualTo(2);
    assertThat(counters.loadNanos.sum()).isEqualTo(100);
  }

  @Test
  void abandoned_takesItsTimeAndIsNoLoad() {
    times.given(counters, new long[] {1, 2}, 100);
    times.filled(1, 150);
    times.abandoned(new long[] {2}, 300);
    times.given(counters, new long[] {3}, 300);
    times.abandoned(new long[] {3}, 500);

    assertThat(counters.timedLoads.sum()).isEqualTo(1);
    assertThat(counters.loadNanos.sum()).isEqualTo(200);
  }

  @Test
  void given_leasesThatNeverEnd_areForgotten() {
    int most = 1 << 14;
    times.given(counters, new long[] {1}, 100);
    times.given(counters, LongStream.range(10, 10 + most).toArray(), 200);
    times.filled(1, 300);
    assertThat(counters.timedLoads.sum()).isZero();

    times.given(counters, new long[] {5}, 400);
    times.filled(5, 450);
    assertThat(counters.timedLoads.sum()).isEqualTo(1);
  }
}
