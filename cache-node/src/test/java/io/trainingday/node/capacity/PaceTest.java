package io.trainingday.node.capacity;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;

class PaceTest {
  private static final long SECOND = TimeUnit.SECONDS.toNanos(1);
  private static final long BURST = SECOND / 4;

  private final AtomicLong clock =
      new AtomicLong(Long.MAX_VALUE - SECOND); // wraps, as nanoTime may
  private final Pace pace = new Pace(1_000, clock::get);

  @Test
  void passed_moreThanTheRate_waitsForTheRest() {
    assertThat(pace.passed(500)).isEqualTo(SECOND / 2);
    assertThat(pace.passed(500)).isEqualTo(SECOND);
    clock.addAndGet(SECOND);
    assertThat(pace.passed(100)).isEqualTo(SECOND / 10);
  }

  @Test
  void passed_whoeverDoesNotWaitLongEnough_isNotForgiven() {
    assertThat(pace.passed(10_000)).isEqualTo(10 * SECOND);
    clock.addAndGet(SECOND);
    assertThat(pace.passed(0)).isEqualTo(9 * SECOND);
  }

  @Test
  void passed_afterAQuietTime_oneBurstForFree() {
    clock.addAndGet(100 * SECOND);
    assertThat(pace.passed(250)).isZero();
    assertThat(pace.passed(1_000)).isEqualTo(SECOND);
    clock.addAndGet(SECOND + BURST / 2);
    assertThat(pace.passed(125)).isZero();
    assertThat(pace.passed(100)).isPositive();
  }
}
