package io.trainingday.node.lane;

import static org.assertj.core.api.Assertions.assertThat;

import io.trainingday.lane.LaneException;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

class RefusalsTest {
  private final List<String> warnings = new ArrayList<>();
  private long nanos = Long.MAX_VALUE - 5;
  private final Refusals refusals = new Refusals(RefusalReason.LANE, () -> nanos, warnings::add);

  @Test
  void count_manyOfAReason_areAllCountedAndLoggedOnceAMinute() {
    for (int i = 0; i < 1_000; i++) {
      refusals.count(RefusalReason.TOKEN, "tcp://10.0.0.9", "no token was shown");
    }
    assertThat(refusals.counts()).containsEntry("token", 1_000L).containsEntry("tls", 0L);
    assertThat(warnings)
        .containsExactly(
            "Refused tcp://10.0.0.9 (token): no token was shown. More of this kind from there are"
                + " counted, not logged, for a minute");

    nanos += TimeUnit.SECONDS.toNanos(59);
    refusals.count(RefusalReason.TOKEN, "tcp://10.0.0.9", "again");
    assertThat(warnings).hasSize(1);

    nanos += TimeUnit.SECONDS.toNanos(1);
    refusals.count(RefusalReason.TOKEN, "tcp://10.0.0.9", "again");
    assertThat(warnings).hasSize(2);
  }

  @Test
  void count_reasons_areLoggedBesideEachOther() {
    refusals.count(RefusalReason.TOKEN, "x", "a");
    refusals.count(RefusalReason.TLS, "x", "b");

    assertThat(warnings).hasSize(2);
  }

  @Test
  void count_hosts_areLoggedBesideEachOtherUpToABound() {
    for (int i = 0; i < 10_000; i++) {
      refusals.count(RefusalReason.TOKEN, "tcp://10.0.0." + i, "no token was shown");
    }
    assertThat(warnings).hasSize(Refusals.MAX_LINES);
    assertThat(warnings.get(0))
        .endsWith("More of this kind from there are counted, not logged, for a minute");
    assertThat(warnings.get(Refusals.MAX_LINES - 1))
        .endsWith("More of any kind from anywhere are counted, not logged, for a minute");
    assertThat(refusals.counts()).containsEntry("token", 10_000L);

    nanos += TimeUnit.MINUTES.toNanos(1);
    refusals.count(RefusalReason.TLS, "tcp://10.0.0.1", "no TLS");
    assertThat(warnings).hasSize(Refusals.MAX_LINES + 1);
  }

  @Test
  void count_whatOnlyTheTrainerNeedsToKnow_isNotLogged() {
    refusals.count(RefusalReason.NO_SEGMENT, "x", "no room");

    assertThat(warnings).isEmpty();
    assertThat(refusals.counts()).containsEntry("no_segment", 1L);
  }

  @Test
  void count_controlCharacters_doNotReachTheLog() {
    refusals.count(RefusalReason.ROLE, "x", "two\nlines\u001b[31m");

    assertThat(warnings).singleElement().asString().contains("two?lines?[31m");
  }

  @Test
  void of_everyCode_hasAReason() {
    for (LaneException.Code code : LaneException.Code.values()) {
      assertThat(RefusalReason.of(code)).isNotNull();
    }
  }
}
