package io.trainingday.node.lane;

import io.netty.channel.EventLoop;
import io.trainingday.grid.SampleKey;
import io.trainingday.node.fill.Fills;
import io.trainingday.node.fill.MissAnswer;
import io.trainingday.node.fill.Waiter;
import io.trainingday.node.store.RecordStore;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * Waits while others load samples whose leases this node keeps: until all are settled, one of the
 * leases falls to the holder, or the time is over. Lives on its connection's thread; answers that
 * come on other threads are handed over to it.
 */
final class LeaseWait {
  /** Who waits. Called on the connection's thread. */
  interface Reader {
    SampleKey key(int i);

    /** The word on sample {@code i}, which was leased to another. */
    void answered(int i, MissAnswer answer);

    /** Whether to wait no longer. */
    boolean isDue();

    /** The wait is over; called once. */
    void waitEnded();
  }

  private final Fills fills;
  private final RecordStore store;
  private final long holder;
  private final EventLoop thread;
  private final Reader reader;
  private final Map<Integer, Waiter> waiters = new HashMap<>();
  private @Nullable Future<?> timeout;
  private boolean ended;

  LeaseWait(Fills fills, RecordStore store, long holder, EventLoop thread, Reader reader) {
    this.fills = fills;
    this.store = store;
    this.holder = holder;
    this.thread = thread;
    this.reader = reader;
  }

  /** Begins to wait; the reader may be told of the end before this returns. */
  void start(int[] positions, long waitMillis) {
    for (int i : positions) {
      if (reader.isDue()) {
        break;
      }
      Waiter waiter = answer -> thread.execute(() -> answered(i, answer));
      waiters.put(i, waiter);
      MissAnswer answer = fills.await(store, reader.key(i), holder, waiter);
      if (answer.kind() != MissAnswer.Kind.LEASED_TO_OTHER) {
        waiters.remove(i);
        reader.answered(i, answer);
      }
    }
    if (waiters.isEmpty() || reader.isDue()) {
      end();
    } else {
      timeout = thread.schedule(this::end, waitMillis, TimeUnit.MILLISECONDS);
    }
  }

  /** Ends the wait now. */
  void end() {
    if (ended) {
      return;
    }
    ended = true;
    if (timeout != null) {
      timeout.cancel(false);
    }
    // One that cannot be cancelled has its answer under way: answered() sees it.
    waiters.forEach((i, waiter) -> fills.cancel(reader.key(i), waiter));
    reader.waitEnded();
  }

  private void answered(int i, MissAnswer answer) {
    if (ended) {
      // Too late for the reply: a lease must go on to somebody who knows of it.
      if (answer.kind() == MissAnswer.Kind.GRANTED) {
        fills.release(reader.key(i), holder, answer.lease());
      }
      return;
    }
    waiters.remove(i);
    reader.answered(i, answer);
    if (waiters.isEmpty() || reader.isDue()) {
      end();
    }
  }
}
