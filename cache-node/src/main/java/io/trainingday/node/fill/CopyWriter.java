package io.trainingday.node.fill;

import io.trainingday.grid.SampleKey;
import io.trainingday.node.fill.Fills.Submitted;
import io.trainingday.node.store.RecordStore;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.RejectedExecutionException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Writes the copies that other nodes send to this node's disk, on a thread of its own: the writers
 * of fills wait for the copies of theirs on other nodes, so nodes that wrote both with the same
 * threads could wait for each other.
 */
final class CopyWriter implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(CopyWriter.class);

  private final InFlightBytes inFlight;
  private final Counters counters;
  private final ExecutorService thread =
      Executors.newSingleThreadExecutor(
          task -> {
            Thread created = new Thread(task, "copy-writer");
            created.setDaemon(true);
            return created;
          });

  /**
   * @param maxBytes of copies taken and not written yet, unless it is one larger than that
   */
  CopyWriter(long maxBytes, Counters counters) {
    this.inFlight = InFlightBytes.orOneRecord(maxBytes);
    this.counters = counters;
  }

  /** Takes a copy, or says why not. Never blocks. */
  Submitted offer(RecordStore store, SampleKey key, byte[] record) {
    if (!inFlight.tryTake(record.length)) {
      return Submitted.BUSY;
    }
    try {
      thread.execute(() -> write(store, key, record));
      return Submitted.TAKEN;
    } catch (RejectedExecutionException closed) {
      inFlight.give(record.length);
      return Submitted.CLOSED;
    }
  }

  private void write(RecordStore store, SampleKey key, byte[] record) {
    try {
      if (store.writeCopyToDisk(key, record) == RecordStore.Kept.KEPT) {
        counters.copiesWritten.increment();
      } else {
        counters.copiesDropped.increment();
      }
    } catch (RuntimeException | Error failure) {
      counters.copiesDropped.increment();
      LOG.warn("Could not write the copy of {}", key, failure);
    } finally {
      inFlight.give(record.length);
    }
  }

  /** Takes no more; what is queued is dropped: its owner has it. */
  @Override
  public void close() {
    thread.shutdownNow();
  }
}
