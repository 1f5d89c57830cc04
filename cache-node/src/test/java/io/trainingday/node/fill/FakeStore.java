package io.trainingday.node.fill;

import io.trainingday.config.Settings.Tier;
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
  final Map<SampleKey, byte[]> disk = new ConcurrentHashMap<>();
  volatile Tier tier = Tier.MEMORY;
  volatile Kept room = Kept.KEPT;
  volatile Kept kept = Kept.KEPT;

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
  public Tier tier() {
    return tier;
  }

  @Override
  public Kept roomOnDisk() {
    return room;
  }

  @Override
  public Kept writeToDisk(SampleKey key, byte[] record) {
    return writeCopyToDisk(key, record);
  }

  @Override
  public Kept writeCopyToDisk(SampleKey key, byte[] record) {
    if (kept == Kept.KEPT) {
      disk.put(key, record);
    }
    return kept;
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
    return records.containsKey(key) || disk.containsKey(key);
  }

  @Override
  public boolean remove(SampleKey key) {
    return records.remove(key) != null;
  }

  @Override
  public void drain() {}
}
