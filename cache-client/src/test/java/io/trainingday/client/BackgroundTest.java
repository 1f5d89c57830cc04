package io.trainingday.client;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;

class BackgroundTest {
  private static final long NEVER_MILLIS = 3_600_000;

  private final AtomicInteger run = new AtomicInteger();
  private final AtomicInteger dropped = new AtomicInteger();

  @Test
  void close_taskThatWaits_isDroppedOnce() {
    Background background = new Background("test");
    background.later(run::incrementAndGet, NEVER_MILLIS, dropped::incrementAndGet);

    background.close();
    background.close();

    assertThat(run).hasValue(0);
    assertThat(dropped).hasValue(1);
  }

  @Test
  void later_afterClose_isDropped() {
    Background background = new Background("test");
    background.close();

    background.later(run::incrementAndGet, 0, dropped::incrementAndGet);

    assertThat(dropped).hasValue(1);
  }

  @Test
  void close_taskThatHasRun_isNotDropped() throws Exception {
    CountDownLatch done = new CountDownLatch(1);
    Background background = new Background("test");
    background.later(done::countDown, 0, dropped::incrementAndGet);
    done.await();

    background.close();

    assertThat(dropped).hasValue(0);
  }
}
