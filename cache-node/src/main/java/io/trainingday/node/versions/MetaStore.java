package io.trainingday.node.versions;

import io.trainingday.grid.GridCaches;
import io.trainingday.node.versions.DatasetRefusedException.Reason;
import java.util.HashMap;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
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
    heads.put(dataset, Head.of(next).encode());
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

  /** A version key as it is kept, null if there is none. */
  byte @Nullable [] keyBytes(long dataset) {
    return keys.get(dataset);
  }

  /** All heads, as this node has them; outside of transactions. */
  Map<Long, Head> allHeads() {
    return all(heads, Head::decode);
  }

  /**
   * The pipelines of a data set as they are kept, by {@link #pipelineKey}, as this node has them.
   */
  Map<String, byte[]> pipelineBytes(long dataset) {
    Map<String, byte[]> found = all(pipelines, bytes -> bytes);
    found.keySet().removeIf(key -> !key.startsWith(hex(dataset) + "/"));
    return found;
  }

  /**
   * The chunks of a data set's manifest as they are kept, by number.
   *
   * @param samples in the data set
   */
  Map<Long, byte[]> stampBytes(long dataset, long samples) {
    Map<Long, byte[]> found = new HashMap<>();
    if (manifests.localSizeLong(CachePeekMode.PRIMARY, CachePeekMode.BACKUP) == 0) {
      return found;
    }
    for (long number = 0; number < Manifest.chunkCount(samples); number++) {
      byte[] bytes = manifests.get(Manifest.chunkKey(dataset, number));
      if (bytes != null) {
        found.put(number, bytes);
      }
    }
    return found;
  }

  /**
   * Keeps what was kept of a data set elsewhere, over what is here; in a transaction.
   *
   * @param pipelineBytes by {@link #pipelineKey}
   * @param stampBytes by number of the chunk
   * @throws DatasetRefusedException LIMIT when there is no room for it
   */
  void restore(
      long dataset,
      VersionKey key,
      Map<String, byte[]> pipelineBytes,
      Map<Long, byte[]> stampBytes) {
    byte[] bytes = Layout.encode(key);
    long size = bytes.length;
    for (byte[] pipeline : pipelineBytes.values()) {
      size += pipeline.length;
    }
    for (byte[] stamps : stampBytes.values()) {
      size += stamps.length;
    }
    requireRoom(size);
    keys.put(dataset, bytes);
    heads.put(dataset, Head.of(key).encode());
    pipelines.putAll(new TreeMap<>(pipelineBytes));
    Map<String, byte[]> chunks = new TreeMap<>();
    stampBytes.forEach((number, chunk) -> chunks.put(Manifest.chunkKey(dataset, number), chunk));
    manifests.putAll(chunks);
  }

  /** Forgets a data set; in a transaction. */
  void forget(long dataset) {
    keys.remove(dataset);
    heads.remove(dataset);
    pipelines.removeAll(new TreeSet<>(pipelineBytes(dataset).keySet()));
    Set<String> chunks = new TreeSet<>(all(manifests, bytes -> bytes).keySet());
    chunks.removeIf(key -> !key.startsWith(hex(dataset) + "/"));
    manifests.removeAll(chunks);
  }

  /** Forgets everything; outside of transactions, while nobody uses it. */
  void clear() {
    clear(heads);
    clear(keys);
    clear(pipelines);
    clear(manifests);
  }

  private static <K extends Comparable<K>> void clear(IgniteCache<K, byte[]> cache) {
    for (K key : new TreeSet<>(all(cache, bytes -> bytes).keySet())) {
      cache.remove(key);
    }
  }

  boolean isEmpty() {
    return keys.localSize(CachePeekMode.PRIMARY, CachePeekMode.BACKUP) == 0;
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
