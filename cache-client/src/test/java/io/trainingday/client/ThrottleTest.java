package io.trainingday.client;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;

class ThrottleTest {
  private static final long SECOND = 1_000_000_000L;

  private final AtomicLong now = new AtomicLong(-5);

  @Test
  void pieces_inAnyStretch_areNoMoreThanTheRateAndOnePiece() {
    Throttle throttle = new Throttle(100, now::get);
    long end = now.get() + 60 * SECOND;
    long done = 0;
    for (int k = 0; now.get() < end; k++) {
      now.addAndGet(throttle.delayNanos());
      assertThat(throttle.delayNanos()).isZero();
      int piece = 1 + k % 16;
      throttle.charge(piece);
      done += piece;
      now.addAndGet(k % 3 == 0 ? SECOND / 50 : 0); // The work itself takes time now and then.
    }
    assertThat(done).isBetween(5_900L, 6_016L);
  }

  @Test
  void timeNotUsed_isNotSavedUp() {
    Throttle throttle = new Throttle(10, now::get);
    throttle.charge(1);
    now.addAndGet(3_600 * SECOND);
    throttle.charge(5);

    assertThat(throttle.delayNanos()).isEqualTo(SECOND / 2);
  }

  @Test
  void withoutLimit_neverWaits() {
    Throttle throttle = new Throttle(Double.POSITIVE_INFINITY, now::get);
    throttle.charge(1e12);

    assertThat(throttle.delayNanos()).isZero();
    assertThat(throttle.piece()).isEqualTo(Long.MAX_VALUE);
  }

  @Test
  void piece_isAQuarterOfASecond() {
    assertThat(new Throttle(40, now::get).piece()).isEqualTo(10);
    assertThat(new Throttle(0.1, now::get).piece()).isEqualTo(1);
  }
}
