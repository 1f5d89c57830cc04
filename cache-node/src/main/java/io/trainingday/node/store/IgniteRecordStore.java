package io.trainingday.node.store;

import io.trainingday.grid.BoundedLoadAffinity;
import io.trainingday.grid.GridCaches;
import io.trainingday.grid.SampleKey;
import java.util.Collection;
import java.util.List;
import java.util.Objects;
import java.util.Set;
import java.util.UUID;
import org.apache.ignite.Ignite;
import org.apache.ignite.IgniteCache;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Records kept in one cache of an embedded Ignite node. */
final class IgniteRecordStore implements RecordStore {
  private static final Logger LOG = LoggerFactory.getLogger(IgniteRecordStore.class);

  private final int backups;
  private final IgniteCache<SampleKey, byte[]> cache;
  private final CacheInternals internals;
  private final RecordReader reader;
  private final ReadGate gate = new ReadGate();

  private IgniteRecordStore(
      int backups,
      IgniteCache<SampleKey, byte[]> cache,
      CacheInternals internals,
      RecordReader reader) {
    this.backups = backups;
    this.cache = cache;
    this.internals = internals;
    this.reader = reader;
  }

  /**
   * @throws IllegalArgumentException when the node has no such cache, or the cache's data region is
   *     persistent
   */
  static IgniteRecordStore withPageReader(Ignite ignite, int backups) {
    CacheInternals internals = new CacheInternals(ignite, GridCaches.samples(backups));
    return new IgniteRecordStore(
        backups, cache(ignite, backups), internals, new PageReader(internals));
  }

  /**
   * @throws IllegalArgumentException as {@link #withPageReader}
   */
  static IgniteRecordStore withPublicReader(Ignite ignite, int backups) {
    CacheInternals internals = new CacheInternals(ignite, GridCaches.samples(backups));
    IgniteCache<SampleKey, byte[]> cache = cache(ignite, backups);
    return new IgniteRecordStore(backups, cache, internals, new PublicReader(cache));
  }

  private static IgniteCache<SampleKey, byte[]> cache(Ignite ignite, int backups) {
    return ignite.cache(GridCaches.samples(backups));
  }

  @Override
  public int backups() {
    return backups;
  }

  CacheInternals internals() {
    return internals;
  }

  @Override
  public List<UUID> targets(SampleKey key) {
    return internals.targets(BoundedLoadAffinity.partition(key.index(), internals.partitions()));
  }

  /** As {@link RecordStores#forEachKey}. */
  boolean forEachKey(int partition, RecordStores.KeyVisitor visitor) {
    KeyScan scan = new KeyScan(internals, partition);
    for (List<KeyScan.Listed> keys = next(scan); !keys.isEmpty(); keys = next(scan)) {
      for (KeyScan.Listed listed : keys) {
        if (!visitor.visit(listed.key(), listed.recordBytes())) {
          return false;
        }
      }
    }
    return true;
  }

  private List<KeyScan.Listed> next(KeyScan scan) {
    if (!gate.enter()) {
      return List.of();
    }
    try {
      return scan.next();
    } finally {
      gate.leave();
    }
  }

  /** As {@link RecordStores#drop}. */
  void drop(SampleKey key) {
    try {
      cache.localClear(key);
    } catch (RuntimeException stopping) {
      // What it can be: the node stops, and then everything goes.
      LOG.debug("{} was not dropped", key, stopping);
    }
  }

  @Override
  public int read(SampleKey key, RecordSink sink) {
    if (!gate.enter()) {
      return MISS;
    }
    try {
      return reader.read(key, sink);
    } finally {
      gate.leave();
    }
  }

  @Override
  public boolean contains(SampleKey key) {
    if (!gate.enter()) {
      return false;
    }
    try {
      return reader.contains(key);
    } finally {
      gate.leave();
    }
  }

  @Override
  public boolean isHeldHere(SampleKey key) {
    return internals.isWhole(BoundedLoadAffinity.partition(key.index(), internals.partitions()));
  }

  @Override
  public void write(SampleKey key, byte[] record) {
    Objects.requireNonNull(record, "record");
    try {
      cache.put(key, record);
    } catch (RuntimeException failure) {
      throw new WriteException(
          "could not store %s, %d bytes: %s".formatted(key, record.length, rootReason(failure)),
          failure);
    }
  }

  @Override
  public boolean remove(SampleKey key) {
    try {
      return cache.remove(key);
    } catch (RuntimeException failure) {
      throw new WriteException(
          "could not remove %s: %s".formatted(key, rootReason(failure)), failure);
    }
  }

  @Override
  public void removeAll(Collection<SampleKey> keys) {
    try {
      cache.removeAll(Set.copyOf(keys));
    } catch (RuntimeException failure) {
      throw new WriteException(
          "could not remove %d records: %s".formatted(keys.size(), rootReason(failure)), failure);
    }
  }

  @Override
  public void drain() {
    gate.close();
  }

  /** Ignite's outermost message only says that a key failed; why is at the bottom. */
  private static String rootReason(Throwable failure) {
    Throwable root = failure;
    while (root.getCause() != null) {
      root = root.getCause();
    }
    return root.getMessage() == null ? root.toString() : root.getMessage();
  }
}
