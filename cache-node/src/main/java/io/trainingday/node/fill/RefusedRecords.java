package io.trainingday.node.fill;

import io.trainingday.grid.SampleKey;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * Records that admission has no room for, kept for a moment: trainers that read the same batch at
 * the same time ask one after the other, and of those that come after the record was refused each
 * would load it again.
 *
 * <p>Each connection gets a record once. One that asks again has come to its next epoch: then the
 * record is forgotten, and loaded anew. Only where no other connection has asked, so that it may
 * have been for several threads of one, these are let in together for a moment.
 *
 * <p>Bounded in bytes and time, oldest first. Safe for any number of threads.
 */
final class RefusedRecords {
  private static final long TOGETHER_NANOS = TimeUnit.MILLISECONDS.toNanos(25);

  private static final class Kept {
    final byte[] bytes;
    final long sinceNanos;
    final List<Holder> served;
    long lastServedNanos;

    Kept(byte[] bytes, long sinceNanos, List<Holder> served) {
      this.bytes = bytes;
      this.sinceNanos = sinceNanos;
      this.served = served;
      lastServedNanos = sinceNanos;
    }
  }

  private final long maxBytes;
  private final long keepNanos;
  private final Map<SampleKey, Kept> kept = new LinkedHashMap<>();
  private long bytes;
  private volatile boolean any;

  /**
   * @param maxBytes of all records
   * @param keepNanos for how long each is kept at most
   */
  RefusedRecords(long maxBytes, long keepNanos) {
    this.maxBytes = maxBytes;
    this.keepNanos = keepNanos;
  }

  /**
   * @param served who has it already
   */
  void keep(SampleKey key, byte[] record, List<Holder> served, long nowNanos) {
    if (record.length > maxBytes) {
      return;
    }
    synchronized (this) {
      forget(key);
      kept.put(key, new Kept(record, nowNanos, new ArrayList<>(Set.copyOf(served))));
      bytes += record.length;
      Iterator<Kept> oldest = kept.values().iterator();
      while (bytes > maxBytes) {
        bytes -= oldest.next().bytes.length;
        oldest.remove();
      }
      any = true;
    }
  }

  /** The record, if it is kept for this connection. */
  byte @Nullable [] find(SampleKey key, Holder holder, long nowNanos) {
    if (!any) {
      return null;
    }
    synchronized (this) {
      Kept found = kept.get(key);
      if (found == null) {
        return null;
      }
      boolean again = found.served.contains(holder);
      boolean together =
          found.served.size() == 1 && nowNanos - found.lastServedNanos < TOGETHER_NANOS;
      if (nowNanos - found.sinceNanos >= keepNanos || (again && !together)) {
        forget(key);
        return null;
      }
      if (!again) {
        found.served.add(holder);
      }
      found.lastServedNanos = nowNanos;
      return found.bytes;
    }
  }

  /** Drops those whose time is over. */
  void expire(long nowNanos) {
    if (!any) {
      return;
    }
    synchronized (this) {
      Iterator<Kept> oldest = kept.values().iterator();
      while (oldest.hasNext()) {
        Kept first = oldest.next();
        if (nowNanos - first.sinceNanos < keepNanos) {
          return;
        }
        bytes -= first.bytes.length;
        oldest.remove();
      }
      any = false;
    }
  }

  private void forget(SampleKey key) {
    Kept gone = kept.remove(key);
    if (gone != null) {
      bytes -= gone.bytes.length;
    }
  }
}
