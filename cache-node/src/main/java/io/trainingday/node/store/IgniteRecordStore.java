package io.trainingday.node.store;

import io.trainingday.grid.SampleKey;
import java.util.Objects;
import org.apache.ignite.Ignite;
import org.apache.ignite.IgniteCache;

/** Records kept in one cache of an embedded Ignite node. */
public final class IgniteRecordStore implements RecordStore {
  private final IgniteCache<SampleKey, byte[]> cache;
  private final RecordReader reader;
  private final ReadGate gate = new ReadGate();

  private IgniteRecordStore(IgniteCache<SampleKey, byte[]> cache, RecordReader reader) {
    this.cache = cache;
    this.reader = reader;
  }

  /**
   * A store that copies straight from Ignite's pages to the sink.
   *
   * @throws IllegalArgumentException when the node has no such cache, or the cache's data region is
   *     persistent
   */
  public static RecordStore withPageReader(Ignite ignite, String cacheName) {
    return new IgniteRecordStore(cache(ignite, cacheName), new PageReader(ignite, cacheName));
  }

  /**
   * A store that reads through Ignite's public interface, which copies to the heap in between.
   *
   * @throws IllegalArgumentException when the node has no such cache
   */
  public static RecordStore withPublicReader(Ignite ignite, String cacheName) {
    IgniteCache<SampleKey, byte[]> cache = cache(ignite, cacheName);
    return new IgniteRecordStore(cache, new PublicReader(cache));
  }

  private static IgniteCache<SampleKey, byte[]> cache(Ignite ignite, String cacheName) {
    IgniteCache<SampleKey, byte[]> cache = ignite.cache(cacheName);
    if (cache == null) {
      throw new IllegalArgumentException("no cache " + cacheName + " on node " + ignite.name());
    }
    return cache;
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
