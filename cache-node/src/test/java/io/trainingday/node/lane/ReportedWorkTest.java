package io.trainingday.node.lane;

import static org.assertj.core.api.Assertions.assertThat;

import io.trainingday.lane.ReportMessage;
import org.junit.jupiter.api.Test;

final class ReportedWorkTest {
  private final ReportedWork work = new ReportedWork();

  @Test
  void hits_areWorthTheMeanLoad() {
    work.report(loads(2, 100));
    work.hits(3);
    work.report(loads(2, 300));
    work.hits(1);

    assertThat(work.snapshot().savedNanos()).isEqualTo(3 * 50 + 100);
  }

  @Test
  void hits_beforeTheFirstLoadIsTold_countWhenItIs() {
    work.hits(5);
    assertThat(work.snapshot().savedNanos()).isZero();
    work.report(new ReportMessage(1, false, 1, 2, 0, 0));
    assertThat(work.snapshot().savedNanos()).isZero();
    work.report(loads(1, 40));

    assertThat(work.snapshot().savedNanos()).isEqualTo(200);
    assertThat(work.snapshot().loads()).isEqualTo(1);
    assertThat(work.snapshot().waitedNanos()).isEqualTo(1);
  }

  private static ReportMessage loads(long loads, long nanos) {
    return new ReportMessage(1, false, 0, 0, loads, nanos);
  }
}
