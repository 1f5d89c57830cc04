package io.trainingday.node.background;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

final class WorkerTest {
  private static final long NEVER_NANOS = Long.MAX_VALUE;

  private final BlockingQueue<Boolean> turns = new LinkedBlockingQueue<>();
  private Worker worker = new Worker("unused", NEVER_NANOS, woken -> {});

  @AfterEach
  void close() {
    worker.close();
  }

  private void start(long periodNanos, Worker.Turn turn) {
    worker = new Worker("worker", periodNanos, turn);
    worker.start();
  }

  /** Whether the next turn was woken. */
  private boolean nextTurn() throws InterruptedException {
    Boolean woken = turns.poll(60, TimeUnit.SECONDS);
    assertThat(woken).as("a turn").isNotNull();
    return woken;
  }

  @Test
  void start_beginsATurnWithAReason() throws InterruptedException {
    start(NEVER_NANOS, turns::add);

    assertThat(nextTurn()).isTrue();
  }

  @Test
  void time_beginsTurnsWithoutAReason() throws InterruptedException {
    start(1, turns::add);

    assertThat(nextTurn()).isTrue();
    assertThat(nextTurn()).isFalse();
    assertThat(nextTurn()).isFalse();
  }

  @Test
  void wake_beginsATurnWithAReason() throws InterruptedException {
    start(NEVER_NANOS, turns::add);
    assertThat(nextTurn()).isTrue();

    worker.wake();

    assertThat(nextTurn()).isTrue();
  }

  @Test
  void wake_duringATurn_beginsAnotherOne() throws InterruptedException {
    CountDownLatch begun = new CountDownLatch(1);
    CountDownLatch woken = new CountDownLatch(1);
    start(
        NEVER_NANOS,
        reason -> {
          begun.countDown();
          await(woken);
          turns.add(reason);
        });
    await(begun);

    worker.wake();
    woken.countDown();

    assertThat(nextTurn()).isTrue();
    assertThat(nextTurn()).isTrue();
  }

  @Test
  void failure_isFollowedByTheNextTurn() throws InterruptedException {
    start(
        1,
        woken -> {
          turns.add(woken);
          throw new IllegalStateException("on purpose");
        });

    assertThat(nextTurn()).isTrue();
    assertThat(nextTurn()).isFalse();
  }

  @Test
  void error_isFollowedByTheNextTurn() throws InterruptedException {
    start(
        1,
        woken -> {
          turns.add(woken);
          throw new AssertionError("on purpose");
        });

    assertThat(nextTurn()).isTrue();
    assertThat(nextTurn()).isFalse();
  }

  @Test
  void closeNow_endsWhatATurnWaitsFor() {
    CountDownLatch begun = new CountDownLatch(1);
    start(
        NEVER_NANOS,
        woken -> {
          begun.countDown();
          try {
            new CountDownLatch(1).await();
          } catch (InterruptedException e) {
            turns.add(worker.isClosed());
          }
        });
    await(begun);

    worker.closeNow();

    assertThat(turns).containsExactly(true);
  }

  @Test
  void close_endsThePauseOfATurnAndTheThread() {
    CountDownLatch begun = new CountDownLatch(1);
    List<Thread> threads = new CopyOnWriteArrayList<>();
    start(
        NEVER_NANOS,
        woken -> {
          threads.add(Thread.currentThread());
          begun.countDown();
          while (!worker.isClosed()) {
            worker.pause(NEVER_NANOS);
          }
        });
    await(begun);

    worker.close();

    assertThat(threads).extracting(Thread::isAlive).containsExactly(false);
  }

  @Test
  void close_endsTheWaitOfATurn() {
    CountDownLatch begun = new CountDownLatch(1);
    start(
        NEVER_NANOS,
        woken -> {
          begun.countDown();
          turns.add(worker.awaitWake(NEVER_NANOS));
        });
    await(begun);

    worker.close();

    assertThat(turns).containsExactly(false);
  }

  @Test
  void close_withoutAStart_returns() {
    new Worker("worker", NEVER_NANOS, turns::add).close();

    assertThat(turns).isEmpty();
  }

  private static void await(CountDownLatch latch) {
    try {
      assertThat(latch.await(60, TimeUnit.SECONDS)).isTrue();
    } catch (InterruptedException e) {
      throw new AssertionError(e);
    }
  }
}
