package io.trainingday.node.tier;

import io.trainingday.grid.GridCaches;
import io.trainingday.grid.SampleKey;
import io.trainingday.node.disk.DiskStore;
import io.trainingday.node.disk.DiskStore.WriteResult;
import io.trainingday.node.store.RecordStore;
import io.trainingday.node.store.RecordStores;
import io.trainingday.node.store.RecordStores.Held;
import io.trainingday.record.RecordChecksum;
import java.nio.ByteBuffer;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.LongAdder;
import java.util.function.BooleanSupplier;
import java.util.function.LongPredicate;

/**
 * Writes records that came to this node's memory with their partition to its disk, too. For one
 * thread.
 */
final class Backfill {
  private final RecordStores memory;
  private final DiskStore disk;
  private final LongPredicate isHybrid;
  private final int maxRecordBytes;
  private final LongAdder written = new LongAdder();
  private final RecordChecksum checksum = new RecordChecksum();

  /**
   * @param isHybrid whether the data set with that hash is kept in memory and on disk
   */
  Backfill(RecordStores memory, DiskStore disk, LongPredicate isHybrid, int maxRecordBytes) {
    this.memory = memory;
    this.disk = disk;
    this.isHybrid = isHybrid;
    this.maxRecordBytes = maxRecordBytes;
  }

  /** Records written. */
  long written() {
    return written.sum();
  }

  /**
   * Goes through all keys in memory once, or until the disk takes no more.
   *
   * @param goOn asked after each key; may pause
   */
  void run(BooleanSupplier goOn) {
    Map<Long, Boolean> hybrid = new HashMap<>();
    for (int backups = 0; backups <= GridCaches.MAX_BACKUPS; backups++) {
      RecordStore store = memory.of(backups);
      for (Held held : List.of(Held.PRIMARY, Held.BACKUP)) {
        for (int partition : memory.partitions(backups, held)) {
          boolean all =
              memory.forEachKey(
                  backups,
                  partition,
                  (key, recordBytes) ->
                      (!hybrid.computeIfAbsent(key.dataset(), isHybrid::test)
                              || disk.contains(key)
                              || write(store, key))
                          && goOn.getAsBoolean());
          if (!all) {
            return;
          }
        }
      }
    }
  }

  /** Whether it makes sense to go on. */
  private boolean write(RecordStore store, SampleKey key) {
    ArraySink sink = ArraySink.upTo(maxRecordBytes);
    int length = store.read(key, sink);
    // One that is damaged is left to the readers.
    if (length < 0 || !checksum.matches(ByteBuffer.wrap(sink.bytes()), 0, length)) {
      return true;
    }
    WriteResult result = disk.write(key, sink.bytes());
    if (result == WriteResult.STORED) {
      written.increment();
    }
    return result == WriteResult.STORED || result == WriteResult.TOO_LARGE;
  }
}
