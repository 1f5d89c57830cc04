package io.trainingday.node.lane;

import static org.assertj.core.api.Assertions.assertThat;

import ch.qos.logback.classic.Level;
import ch.qos.logback.classic.Logger;
import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.core.read.ListAppender;
import io.trainingday.lane.LaneException;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.slf4j.LoggerFactory;

class RefusalsTest {
  private static final Logger LOGGER = (Logger) LoggerFactory.getLogger(Refusals.class);

  private final ListAppender<ILoggingEvent> log = new ListAppender<>();
  private long nanos = Long.MAX_VALUE - 5;
  private final Refusals refusals = new Refusals(() -> nanos);

  @BeforeEach
  void listen() {
    log.start();
    LOGGER.addAppender(log);
  }

  @AfterEach
  void stop() {
    LOGGER.detachAppender(log);
  }

  @Test
  void count_manyOfAReason_areAllCountedAndLoggedOnceAMinute() {
    for (int i = 0; i < 1_000; i++) {
      refusals.count(RefusalReason.TOKEN, "tcp://10.0.0.9:4711", "no token was shown");
    }
    assertThat(refusals.counts()).containsEntry("token", 1_000L).containsEntry("tls", 0L);
    assertThat(warnings())
        .containsExactly(
            "Refused tcp://10.0.0.9:4711 (token): no token was shown. More of this kind are"
                + " counted, not logged, for a minute");

    nanos += TimeUnit.SECONDS.toNanos(59);
    refusals.count(RefusalReason.TOKEN, "x", "again");
    assertThat(warnings()).hasSize(1);

    nanos += TimeUnit.SECONDS.toNanos(1);
    refusals.count(RefusalReason.TOKEN, "x", "again");
    assertThat(warnings()).hasSize(2);
  }

  @Test
  void count_reasons_areLoggedBesideEachOther() {
    refusals.count(RefusalReason.TOKEN, "x", "a");
    refusals.count(RefusalReason.TLS, "x", "b");

    assertThat(warnings()).hasSize(2);
  }

  @Test
  void count_whatOnlyTheTrainerNeedsToKnow_isNotLogged() {
    refusals.count(RefusalReason.NO_SEGMENT, "x", "no room");

    assertThat(warnings()).isEmpty();
    assertThat(refusals.counts()).containsEntry("no_segment", 1L);
  }

  @Test
  void count_controlCharacters_doNotReachTheLog() {
    refusals.count(RefusalReason.ROLE, "x", "two\nlines\u001b[31m");

    assertThat(warnings()).singleElement().asString().contains("two?lines?[31m");
  }

  @Test
  void of_everyCode_hasAReason() {
    for (LaneException.Code code : LaneException.Code.values()) {
      assertThat(RefusalReason.of(code)).isNotNull();
    }
  }

  private List<String> warnings() {
    return log.list.stream()
        .filter(event -> event.getLevel().equals(Level.WARN))
        .map(ILoggingEvent::getFormattedMessage)
        .toList();
  }
}
