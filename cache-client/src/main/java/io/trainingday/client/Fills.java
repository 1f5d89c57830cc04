package io.trainingday.client;

import io.trainingday.client.CachedSamples.Opened;
import io.trainingday.lane.LaneException;
import io.trainingday.lane.LaneMemory;
import io.trainingday.lane.LaneMessage;
import io.trainingday.lane.LaneMessage.Fill;
import io.trainingday.lane.LaneMessage.FillReply;
import io.trainingday.lane.LaneMessage.FillResult;
import io.trainingday.record.RecordFormat;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Hands records to the node. One that is busy gets a record again, from a copy of ours, while its
 * lease lasts; training does not wait for that. How much waits so is bounded, by itself and
 * together with the memory of batches; over it, records are dropped and counted.
 */
final class Fills {
  private static final Logger LOG = LoggerFactory.getLogger(Fills.class);
  private static final long MAX_WAITING_BYTES = 64L << 20;
  private static final long FIRST_DELAY_MILLIS = 10;
  private static final long LONGEST_DELAY_MILLIS = 500;

  // Why records are dropped here, beside what nodes say.
  static final String BUSY = "busy";
  static final String LOST = "lost";
  static final String ERROR = "error";
  static final String TOO_LARGE = "too-large";

  /** The token grants reading alone. */
  static final String DENIED = "denied";

  private final DatasetSpec spec;
  private final Counters counters;
  private final FillWatch watch;
  private final LaneMemory memory;
  private final Background background;
  private final AtomicLong waitingBytes = new AtomicLong();

  Fills(
      DatasetSpec spec,
      Counters counters,
      FillWatch watch,
      LaneMemory memory,
      Background background) {
    this.spec = spec;
    this.counters = counters;
    this.watch = watch;
    this.memory = memory;
    this.background = background;
  }

  /** A record was not offered, or its connection is gone. */
  void dropped(long index, int recordBytes, String reason) {
    counters.fillsDropped.increment();
    watch.settled(index, recordBytes, FillResult.DROPPED, reason);
  }

  /**
   * Returns when the node has the bytes or we have a copy of them.
   *
   * @param lease null for a record that nobody waits for
   * @param loadedAt the generation the node told before the load began; of no meaning with a lease
   * @param record is changed to the oldest format for a node of the release before
   * @throws CacheException if the node refuses the record
   * @throws IOException if the connection is gone
   */
  void fill(Opened opened, long index, @Nullable Lease lease, long loadedAt, ByteBuffer record)
      throws IOException {
    // Who may not fill is given no lease; one that has got a lease may do so by now.
    if (lease == null && opened.isReadOnly()) {
      dropped(index, record.remaining(), DENIED);
      return;
    }
    if (opened.session().limits().version() == LaneMessage.OLDEST_VERSION) {
      RecordFormat.toOldest(record, record.position(), record.remaining());
    }
    if (offer(opened, index, lease, loadedAt, record) == FillResult.BUSY) {
      retryLater(opened, index, lease, loadedAt, record);
    }
  }

  /** Offers it once; unless the node is busy, the matter is settled and counted. */
  private FillResult offer(
      Opened opened, long index, @Nullable Lease lease, long loadedAt, ByteBuffer record)
      throws IOException {
    FillReply reply;
    try {
      reply =
          (FillReply)
              opened
                  .session()
                  .call(
                      new Fill(
                          opened.handle(),
                          0,
                          index,
                          lease == null ? 0 : lease.id(),
                          lease == null ? loadedAt : lease.sampleVersion(),
                          record))
                  .message();
    } catch (LaneException e) {
      boolean denied = e.code() == LaneException.Code.DENIED;
      giveUp(opened, index, lease, record.remaining(), denied ? DENIED : ERROR);
      if (denied && opened.becomeReadOnly()) {
        LOG.warn("{}: samples that are missing are loaded, and not kept: {}", spec, e.getMessage());
      }
      if (e.code() == LaneException.Code.REFUSED) {
        throw new CacheException(
            "sample index=%d of %s: %s".formatted(index, spec, e.getMessage()), e);
      }
      LOG.debug("{}: record of index={} not kept: {}", spec, index, e.getMessage());
      return FillResult.DROPPED;
    }
    if (reply.result() == FillResult.BUSY) {
      return FillResult.BUSY;
    }
    if (lease != null) {
      opened.session().drop(lease);
    }
    if (reply.result() == FillResult.TAKEN) {
      opened.mayFill();
    }
    (reply.result() == FillResult.TAKEN ? counters.fillsTaken : counters.fillsDropped).increment();
    watch.settled(index, record.remaining(), reply.result(), reply.reason());
    return reply.result();
  }

  private void retryLater(
      Opened opened, long index, @Nullable Lease lease, long loadedAt, ByteBuffer record) {
    int bytes = record.remaining();
    if (waitingBytes.addAndGet(bytes) > MAX_WAITING_BYTES) {
      waitingBytes.addAndGet(-bytes);
      giveUp(opened, index, lease, bytes, BUSY);
      return;
    }
    LaneMemory.Block copy = memory.tryTake(bytes);
    if (copy == null) {
      waitingBytes.addAndGet(-bytes);
      giveUp(opened, index, lease, bytes, BUSY);
      return;
    }
    copy.buffer().put(0, record, record.position(), bytes);
    long until =
        System.nanoTime()
            + TimeUnit.MILLISECONDS.toNanos(opened.session().limits().leaseTimeoutMillis());
    watch.waits(index);
    again(opened, index, lease, loadedAt, copy, FIRST_DELAY_MILLIS, until);
  }

  private void again(
      Opened opened,
      long index,
      @Nullable Lease lease,
      long loadedAt,
      LaneMemory.Block copy,
      long delayMillis,
      long until) {
    background.later(
        () -> {
          boolean settled = true; // Also when it throws.
          try {
            settled = settle(opened, index, lease, loadedAt, copy, until);
          } finally {
            if (settled) {
              free(copy);
            }
          }
          if (!settled) {
            long next = Math.min(2 * delayMillis, LONGEST_DELAY_MILLIS);
            again(opened, index, lease, loadedAt, copy, next, until);
          }
        },
        delayMillis,
        () -> {
          dropped(index, copy.buffer().capacity(), LOST);
          free(copy);
        });
  }

  private void free(LaneMemory.Block copy) {
    waitingBytes.addAndGet(-copy.buffer().capacity());
    copy.close();
  }

  private boolean settle(
      Opened opened,
      long index,
      @Nullable Lease lease,
      long loadedAt,
      LaneMemory.Block copy,
      long until) {
    try {
      if (offer(opened, index, lease, loadedAt, copy.buffer().duplicate()) != FillResult.BUSY) {
        return true;
      }
      if (System.nanoTime() - until < 0) {
        return false;
      }
      giveUp(opened, index, lease, copy.buffer().capacity(), BUSY);
    } catch (IOException e) {
      dropped(index, copy.buffer().capacity(), LOST); // The lease has gone with the connection.
    } catch (CacheException e) {
      LOG.warn("{}", e.getMessage());
    }
    return true;
  }

  private void giveUp(
      Opened opened, long index, @Nullable Lease lease, int recordBytes, String reason) {
    dropped(index, recordBytes, reason);
    if (lease != null) {
      opened.session().abandon(List.of(lease));
    }
  }
}
