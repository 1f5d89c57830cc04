package io.trainingday.node.fill;

import io.trainingday.grid.SampleKey;
import io.trainingday.node.store.RecordSink;
import io.trainingday.node.store.RecordStore;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Semaphore;
import org.jspecify.annotations.Nullable;

/** A store in a map whose writes can be held up or made to fail. */
final class FakeStore implements RecordStore {
  final Map<SampleKey, byte[]> records = new ConcurrentHashMap<>();
  private final Semaphore writes = new Semaphore(1 << 20);
  volatile @Nullable Error failure;
  volatile Runnable onContains = () -> {};
  volatile List<UUID> targets = List.of();

  void holdWrites() {
    writes.drainPermits();
  }

  boolean hasBlockedWriter() {
    return writes.hasQueuedThreads();
  }

  void letWrites(int count) {
    writes.release(count);
  }

  @Override
  public int backups() {
    return 0;
  }

  @Override
  public List<UUID> targets(SampleKey key) {
    return targets;
  }

  @Override
  public int read(SampleKey key, RecordSink sink) {
    throw new UnsupportedOperationException();
  }

  @Override
  public boolean isHeldHere(SampleKey key) {
    return true;
  }

  @Override
  public void write(SampleKey key, byte[] record) {
    writes.acquireUninterruptibly();
    Error error = failure;
    if (error != null) {
      throw error;
    }
    records.put(key, record);
  }

  @Override
  public boolean contains(SampleKey key) {
    onContains.run();
    return records.containsKey(key);
  }

  @Override
  public boolean remove(SampleKey key) {
    return records.remove(key) != null;
  }

  @Override
  public void drain() {}
}
