package io.trainingday.node.lane;

import io.netty.channel.EventLoop;
import io.trainingday.lane.LaneMessage.Status;
import io.trainingday.node.fill.Fills;
import io.trainingday.node.fill.MissAnswer;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * A READ that holds its reply back while others load its samples: until all of them are settled,
 * one of their leases falls to this connection, or the time is over. Lives on its connection's
 * thread; answers that come on other threads are handed over to it.
 */
final class ParkedRead {
  private final BatchRead read;
  private final long holder;
  private final EventLoop thread;
  private final Consumer<ParkedRead> onDone;
  private final Fills.@Nullable Waiter[] waiters;
  private @Nullable Future<?> timeout;
  private @Nullable RuntimeException failure;
  private int open;
  private boolean done;

  /**
   * @param onDone called once on the connection's thread, when the reply is due
   */
  ParkedRead(BatchRead read, long holder, EventLoop thread, Consumer<ParkedRead> onDone) {
    this.read = read;
    this.holder = holder;
    this.thread = thread;
    this.onDone = onDone;
    waiters = new Fills.Waiter[read.count()];
  }

  /** Why the batch cannot be put together, or null. */
  @Nullable RuntimeException failure() {
    return failure;
  }

  /** Begins to wait; {@code onDone} may be called before this returns. */
  void park(long waitMillis) {
    for (int i = 0; i < read.count() && !isDue(); i++) {
      if (read.status(i) != Status.LEASED_TO_OTHER) {
        continue;
      }
      int sample = i;
      Fills.Waiter waiter = answer -> thread.execute(() -> answered(sample, answer));
      waiters[i] = waiter;
      open++;
      MissAnswer answer =
          read.dataset.fills().await(read.dataset.store(), read.key(i), holder, waiter);
      if (answer.kind() != MissAnswer.Kind.LEASED_TO_OTHER) {
        waiters[i] = null;
        open--;
        take(i, answer);
      }
    }
    if (open == 0 || isDue()) {
      finish();
    } else {
      timeout = thread.schedule(this::finish, waitMillis, TimeUnit.MILLISECONDS);
    }
  }

  /** Ends the wait now. */
  void finish() {
    if (done) {
      return;
    }
    done = true;
    if (timeout != null) {
      timeout.cancel(false);
    }
    for (int i = 0; i < waiters.length; i++) {
      Fills.Waiter waiter = waiters[i];
      if (waiter != null && read.dataset.fills().cancel(read.key(i), waiter)) {
        waiters[i] = null;
      }
      // One that could not be cancelled has its answer under way: answered() sees it.
    }
    onDone.accept(this);
  }

  private void answered(int i, MissAnswer answer) {
    waiters[i] = null;
    if (done) {
      // Too late for the reply: a lease must go on to somebody who knows of it.
      if (answer.kind() == MissAnswer.Kind.GRANTED) {
        read.dataset.fills().release(read.key(i), holder, answer.lease());
      }
      return;
    }
    open--;
    take(i, answer);
    if (open == 0 || isDue()) {
      finish();
    }
  }

  private void take(int i, MissAnswer answer) {
    try {
      read.answered(i, answer);
    } catch (RuntimeException e) {
      failure = e;
    }
  }

  private boolean isDue() {
    return failure != null || read.tooSmall() || read.count(Status.LEASED_TO_YOU) > 0;
  }
}
