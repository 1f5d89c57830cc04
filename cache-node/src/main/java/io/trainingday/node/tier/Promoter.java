package io.trainingday.node.tier;

import io.trainingday.grid.SampleKey;
import io.trainingday.node.background.Worker;
import io.trainingday.node.capacity.Room;
import io.trainingday.node.disk.DiskStore;
import io.trainingday.node.store.RecordStore;
import io.trainingday.record.RecordChecksum;
import java.nio.ByteBuffer;
import java.util.List;
import java.util.UUID;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.LongAdder;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Takes records that were read from disk into memory, as long as there is room: so memory is full
 * again soon after a restart. Behind the reads and never in their way: keys that come faster than
 * one thread copies are let go, and as long as memory is full nothing is done.
 */
final class Promoter implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(Promoter.class);
  private static final int QUEUE = 256;

  /** After a record was refused, none is tried for so long. */
  private static final long REST_NANOS = TimeUnit.SECONDS.toNanos(1);

  private final DiskStore disk;
  private final Room room;
  private final UUID local;
  private final int maxRecordBytes;
  private final BlockingQueue<Found> found = new ArrayBlockingQueue<>(QUEUE);
  private final LongAdder promoted = new LongAdder();
  private final RecordChecksum checksum = new RecordChecksum();
  private final Worker worker = new Worker("disk-promoter", Long.MAX_VALUE, this::promoteFound);
  private volatile long restUntilNanos = System.nanoTime();

  private record Found(RecordStore memory, SampleKey key) {}

  Promoter(DiskStore disk, Room room, UUID local, int maxRecordBytes) {
    this.disk = disk;
    this.room = room;
    this.local = local;
    this.maxRecordBytes = maxRecordBytes;
    worker.start();
  }

  /** Records taken into memory. */
  long promoted() {
    return promoted.sum();
  }

  /** A record was read from disk. Never waits. */
  void offer(RecordStore memory, SampleKey key) {
    if (System.nanoTime() - restUntilNanos > 0 && found.offer(new Found(memory, key))) {
      worker.wake();
    }
  }

  private void promoteFound(boolean woken) {
    for (Found next = found.poll(); next != null && !worker.isClosed(); next = found.poll()) {
      try {
        promote(next);
      } catch (RuntimeException failure) {
        LOG.debug("a record was not taken into memory", failure);
        rest();
      }
    }
  }

  private void promote(Found next) {
    List<UUID> targets = next.memory.targets(next.key);
    // A node that is not its primary would send the record there.
    if (targets.isEmpty()
        || !targets.get(0).equals(local)
        || next.memory.contains(next.key)
        || System.nanoTime() - restUntilNanos <= 0) {
      return;
    }
    ArraySink sink = ArraySink.upTo(maxRecordBytes);
    int length = disk.read(next.key, sink);
    // A damaged one is left to the readers, who count and repair it.
    if (length < 0 || !checksum.matches(ByteBuffer.wrap(sink.bytes()), 0, length)) {
      return;
    }
    if (room.tryAdmit(next.key, length, targets) != null) {
      rest();
      return;
    }
    try {
      next.memory.write(next.key, sink.bytes());
      room.stored(next.key, length);
      promoted.increment();
    } finally {
      room.release(next.key, length, targets);
    }
  }

  private void rest() {
    restUntilNanos = System.nanoTime() + REST_NANOS;
    found.clear();
  }

  /**
   * Does not wait for a record that is being stored, which may take as long as the grid changes.
   */
  @Override
  public void close() {
    worker.closeNow();
  }
}
