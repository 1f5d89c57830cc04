package io.trainingday.node.versions;

import io.trainingday.grid.GridCaches;
import io.trainingday.node.versions.DatasetRefusedException.Reason;
import java.util.HashMap;
import java.util.Map;
import java.util.Set;
import java.util.function.Function;
import java.util.function.LongSupplier;
import javax.cache.Cache;
import org.apache.ignite.Ignite;
import org.apache.ignite.IgniteCache;
import org.apache.ignite.cache.CachePeekMode;
import org.apache.ignite.cache.query.QueryCursor;
import org.apache.ignite.cache.query.ScanQuery;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Where version keys, pipelines and manifests are kept, and how much of them. Reads and writes
 * belong into a transaction; the version key of a data set is its lock, taken first.
 */
final class MetaStore {
  private static final Logger LOG = LoggerFactory.getLogger(MetaStore.class);
  private static final int MAX_DATASETS = 4_096;
  private static final int MAX_VERSION_KEY_BYTES = 4 << 20;

  /** Free memory below which nothing new is kept, two of the largest version keys. */
  private static final long RESERVE_BYTES = 2L * MAX_VERSION_KEY_BYTES;

  private final IgniteCache<Long, byte[]> heads;
  private final IgniteCache<Long, byte[]> keys;
  private final IgniteCache<String, byte[]> pipelines;
  private final IgniteCache<String, byte[]> manifests;
  private final LongSupplier freeBytes;

  /**
   * @param freeBytes bytes free now in the data region of the caches
   */
  MetaStore(Ignite ignite, LongSupplier freeBytes) {
    this.heads = cache(ignite, GridCaches.HEADS);
    this.keys = cache(ignite, GridCaches.VERSIONS);
    this.pipelines = cache(ignite, GridCaches.PIPELINES);
    this.manifests = cache(ignite, GridCaches.MANIFESTS);
    this.freeBytes = freeBytes;
  }

  private static <K, V> IgniteCache<K, V> cache(Ignite ignite, String name) {
    IgniteCache<K, V> cache = ignite.cache(name);
    if (cache == null) {
      throw new IllegalArgumentException("no cache \"%s\" in this grid".formatted(name));
    }
    return cache;
  }

  @Nullable VersionKey key(long dataset) {
    byte[] bytes = keys.get(dataset);
    return bytes == null ? null : Layout.decodeVersionKey(bytes);
  }

  /** Keeps a data set's first version key. */
  void create(long dataset, VersionKey first) {
    int count = keys.localSize(CachePeekMode.PRIMARY, CachePeekMode.BACKUP);
    if (count >= MAX_DATASETS) {
      throw tooMany("data sets", count, MAX_DATASETS);
    }
    requireRoom(0);
    keys.put(dataset, Layout.encode(first));
    heads.put(dataset, Head.of(first).encode());
  }

  /** Keeps a version key in which nothing changed that readers look at. */
  void annotate(long dataset, VersionKey next) {
    keys.put(dataset, Layout.encode(next));
  }

  /** Keeps the next generation; collapsed if it is too large or memory too short for it to grow. */
  void advance(long dataset, VersionKey former, VersionKey next) {
    VersionKey kept = next;
    byte[] bytes = Layout.encode(next);
    int maxBytes =
        freeBytes.getAsLong() < RESERVE_BYTES
            ? Layout.encode(former).length
            : MAX_VERSION_KEY_BYTES;
    if (bytes.length > maxBytes) {
      LOG.warn(
          "The changed-sets of data set \"{}\" need {} bytes, more than {}: all of its samples will be"
              + " loaded again.",
          next.scopedName(),
          bytes.length,
          maxBytes);
      kept = next.collapsed();
      bytes = Layout.encode(kept);
    }
    keys.put(dataset, bytes);
    heads.put(dataset, Head.of(kept).encode());
  }

  @Nullable Pipeline pipeline(long dataset, long pipeline) {
    byte[] bytes = pipelines.get(pipelineKey(dataset, pipeline));
    return bytes == null ? null : Layout.decodePipeline(bytes);
  }

  void keepPipeline(long dataset, long hash, Pipeline pipeline) {
    requireRoom(0);
    pipelines.put(pipelineKey(dataset, hash), Layout.encode(pipeline));
  }

  Map<String, byte[]> manifest(Set<String> chunks) {
    return manifests.getAll(chunks);
  }

  /**
   * @param growth bytes more than the chunks have now
   */
  void keepManifest(Map<String, byte[]> chunks, long growth) {
    requireRoom(growth);
    manifests.putAll(chunks);
  }

  /** All version keys, as this node has them; outside of transactions. */
  Map<Long, VersionKey> allKeys() {
    return all(keys, Layout::decodeVersionKey);
  }

  /** All pipelines, by {@link #pipelineKey}, as this node has them; outside of transactions. */
  Map<String, Pipeline> allPipelines() {
    return all(pipelines, Layout::decodePipeline);
  }

  private static <K, V> Map<K, V> all(IgniteCache<K, byte[]> cache, Function<byte[], V> decode) {
    Map<K, V> all = new HashMap<>();
    try (QueryCursor<Cache.Entry<K, byte[]>> entries =
        cache.query(new ScanQuery<K, byte[]>().setLocal(true))) {
      entries.forEach(entry -> all.put(entry.getKey(), decode.apply(entry.getValue())));
    }
    return all;
  }

  private void requireRoom(long bytes) {
    long free = freeBytes.getAsLong();
    if (free - bytes < RESERVE_BYTES) {
      throw new DatasetRefusedException(
          Reason.LIMIT,
          "%d bytes free for version keys < %d, raise memory.metaMaxSize"
              .formatted(free, bytes + RESERVE_BYTES));
    }
  }

  static DatasetRefusedException tooMany(String what, int count, int max) {
    return new DatasetRefusedException(
        Reason.LIMIT, "%d %s, take at most %d".formatted(count, what, max));
  }

  /** Sixteen digits of the data set's hash, a slash, those of the pipeline's. */
  static String pipelineKey(long dataset, long pipeline) {
    return hex(dataset) + "/" + hex(pipeline);
  }

  static String hex(long hash) {
    return "%016x".formatted(hash);
  }
}
