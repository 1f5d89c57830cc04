package io.trainingday.node.store;

import io.trainingday.grid.SampleKey;
import java.util.Objects;
import org.apache.ignite.Ignite;
import org.apache.ignite.IgniteCache;
import org.apache.ignite.IgniteException;
import org.apache.ignite.cache.CachePeekMode;
import org.jspecify.annotations.Nullable;

/** Records kept in one cache of an embedded Ignite node. */
public final class IgniteRecordStore implements RecordStore {
  private static final CachePeekMode[] ANY_COPY = {CachePeekMode.PRIMARY, CachePeekMode.BACKUP};

  private final IgniteCache<SampleKey, byte[]> cache;
  private volatile boolean drained;

  private IgniteRecordStore(IgniteCache<SampleKey, byte[]> cache) {
    this.cache = cache;
  }

  /**
   * A store that copies straight from Ignite's pages.
   *
   * @throws IllegalArgumentException when the node has no such cache
   */
  public static RecordStore withPageReader(Ignite ignite, String cacheName) {
    return withPublicReader(ignite, cacheName);
  }

  /**
   * A store that reads through Ignite's public interface.
   *
   * @throws IllegalArgumentException when the node has no such cache
   */
  public static RecordStore withPublicReader(Ignite ignite, String cacheName) {
    IgniteCache<SampleKey, byte[]> cache = ignite.cache(cacheName);
    if (cache == null) {
      throw new IllegalArgumentException("no cache " + cacheName + " on node " + ignite.name());
    }
    return new IgniteRecordStore(cache);
  }

  @Override
  public int read(SampleKey key, RecordSink sink) {
    byte[] record = peek(key);
    if (record == null || !sink.begin(record.length)) {
      return MISS;
    }
    if (record.length > 0) {
      sink.copy(record, 0, record.length);
    }
    return record.length;
  }

  @Override
  public void write(SampleKey key, byte[] record) {
    Objects.requireNonNull(record, "record");
    try {
      cache.put(key, record);
    } catch (RuntimeException failure) {
      throw new WriteException(
          "could not store %s of %d bytes: %s".formatted(key, record.length, failure.getMessage()),
          failure);
    }
  }

  @Override
  public boolean contains(SampleKey key) {
    return peek(key) != null;
  }

  @Override
  public boolean remove(SampleKey key) {
    try {
      return cache.remove(key);
    } catch (RuntimeException failure) {
      throw new WriteException(
          "could not remove %s: %s".formatted(key, failure.getMessage()), failure);
    }
  }

  @Override
  public void drain() {
    drained = true;
  }

  private byte @Nullable [] peek(SampleKey key) {
    try {
      return drained ? null : cache.localPeek(key, ANY_COPY);
    } catch (IgniteException rebalanceRace) {
      return null;
    }
  }
}
