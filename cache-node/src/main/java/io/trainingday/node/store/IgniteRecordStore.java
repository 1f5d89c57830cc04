package io.trainingday.node.store;

import io.trainingday.grid.GridCaches;
import io.trainingday.grid.SampleKey;
import java.util.Objects;
import org.apache.ignite.Ignite;
import org.apache.ignite.IgniteCache;

/** Records kept in one cache of an embedded Ignite node. */
final class IgniteRecordStore implements RecordStore {
  private final int backups;
  private final IgniteCache<SampleKey, byte[]> cache;
  private final RecordReader reader;
  private final ReadGate gate = new ReadGate();

  private IgniteRecordStore(
      int backups, IgniteCache<SampleKey, byte[]> cache, RecordReader reader) {
    this.backups = backups;
    this.cache = cache;
    this.reader = reader;
  }

  /**
   * @throws IllegalArgumentException when the node has no such cache, or the cache's data region is
   *     persistent
   */
  static RecordStore withPageReader(Ignite ignite, int backups) {
    return new IgniteRecordStore(
        backups, cache(ignite, backups), new PageReader(ignite, GridCaches.samples(backups)));
  }

  /**
   * @throws IllegalArgumentException when the node has no such cache
   */
  static RecordStore withPublicReader(Ignite ignite, int backups) {
    IgniteCache<SampleKey, byte[]> cache = cache(ignite, backups);
    return new IgniteRecordStore(backups, cache, new PublicReader(cache));
  }

  private static IgniteCache<SampleKey, byte[]> cache(Ignite ignite, int backups) {
    String name = GridCaches.samples(backups);
    IgniteCache<SampleKey, byte[]> cache = ignite.cache(name);
    if (cache == null) {
      throw new IllegalArgumentException("no cache " + name + " on node " + ignite.name());
    }
    return cache;
  }

  @Override
  public int backups() {
    return backups;
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
