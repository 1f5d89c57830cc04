package io.trainingday.node.tier;

import io.trainingday.config.Settings.Tier;
import io.trainingday.grid.SampleKey;
import io.trainingday.node.store.RecordSink;
import io.trainingday.node.store.RecordStore;
import java.util.List;
import java.util.UUID;
import org.jspecify.annotations.Nullable;

/**
 * Records on disk, and for tier hybrid in memory as far as it goes. Who owns what is as for records
 * in memory.
 *
 * <p>A read gives what is on this node's disk whether the node owns it or not: records are
 * immutable under their keys, and the owner of a partition that has moved asks here before the
 * origin.
 */
final class TieredStore implements RecordStore {
  private final RecordStore memory;
  private final Tier tier;
  private final @Nullable DiskTier disk;

  TieredStore(RecordStore memory, Tier tier, @Nullable DiskTier disk) {
    this.memory = memory;
    this.tier = tier;
    this.disk = disk;
  }

  @Override
  public Tier tier() {
    return tier;
  }

  @Override
  public int backups() {
    return memory.backups();
  }

  @Override
  public List<UUID> targets(SampleKey key) {
    return memory.targets(key);
  }

  @Override
  public boolean isHeldHere(SampleKey key) {
    return memory.isHeldHere(key);
  }

  @Override
  public int read(SampleKey key, RecordSink sink) {
    return read(key, sink, () -> {});
  }

  @Override
  public int read(SampleKey key, RecordSink sink, Runnable fromDisk) {
    if (tier.inMemory()) {
      OnceBegun once = new OnceBegun(sink);
      int length = memory.read(key, once);
      if (length != MISS || once.begun) {
        return length;
      }
    }
    if (disk == null) {
      return MISS;
    }
    int length = disk.read(key, sink);
    if (length != MISS) {
      fromDisk.run();
      if (tier.inMemory()) {
        disk.readFromDisk(memory, key);
      }
    }
    return length;
  }

  @Override
  public boolean contains(SampleKey key) {
    return (tier.inMemory() && memory.contains(key)) || (disk != null && disk.contains(key));
  }

  @Override
  public void write(SampleKey key, byte[] record) {
    if (!tier.inMemory()) {
      throw new IllegalStateException("records of tier " + tier + " are not kept in memory");
    }
    memory.write(key, record);
  }

  @Override
  public Kept writeToDisk(SampleKey key, byte[] record) {
    if (disk == null) {
      return Kept.CLOSED;
    }
    Kept kept = disk.write(key, record);
    if (backups() > 0) {
      disk.sendCopies(this, key, record);
    }
    return kept;
  }

  @Override
  public Kept writeCopyToDisk(SampleKey key, byte[] record) {
    if (disk == null) {
      return Kept.CLOSED;
    }
    return disk.contains(key) ? Kept.KEPT : disk.write(key, record);
  }

  @Override
  public Kept roomOnDisk() {
    return disk == null ? Kept.CLOSED : disk.room();
  }

  @Override
  public boolean remove(SampleKey key) {
    if (tier.inMemory() && memory.contains(key) && memory.remove(key)) {
      return true;
    }
    return disk != null && disk.removeDamaged(key);
  }

  @Override
  public void drain() {
    memory.drain();
  }

  /** Tells whether a read got as far as its sink, which takes one record a read. */
  private static final class OnceBegun implements RecordSink {
    private final RecordSink sink;
    private boolean begun;

    OnceBegun(RecordSink sink) {
      this.sink = sink;
    }

    @Override
    public boolean begin(int recordLength) {
      begun = true;
      return sink.begin(recordLength);
    }

    @Override
    public void copy(long address, int length) {
      sink.copy(address, length);
    }

    @Override
    public void copy(byte[] bytes, int offset, int length) {
      sink.copy(bytes, offset, length);
    }
  }
}
