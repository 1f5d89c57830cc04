package io.trainingday.node.versions;

import io.trainingday.node.versions.DatasetRefusedException.Reason;
import io.trainingday.node.versions.VersionKey.Request;
import java.security.SecureRandom;
import java.util.Arrays;
import java.util.Collections;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentMap;
import java.util.function.LongSupplier;
import java.util.function.Supplier;
import java.util.function.ToLongFunction;
import javax.cache.Cache;
import javax.cache.event.CacheEntryEvent;
import javax.cache.event.EventType;
import org.apache.ignite.Ignite;
import org.apache.ignite.IgniteCache;
import org.apache.ignite.cache.query.ContinuousQuery;
import org.apache.ignite.cache.query.QueryCursor;
import org.apache.ignite.cache.query.ScanQuery;
import org.apache.ignite.transactions.Transaction;
import org.apache.ignite.transactions.TransactionConcurrency;
import org.apache.ignite.transactions.TransactionIsolation;
import org.jspecify.annotations.Nullable;
import org.roaringbitmap.longlong.Roaring64NavigableMap;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Opens data sets, publishes their changes and tells every read on this node which version of a
 * sample is current.
 *
 * <p>The truth is one version key per data set in a replicated, transactional, fully synchronous
 * cache; every change is one transaction on it. Reads do not go there: they use an immutable view
 * in memory, which changes in two ways, and only forward:
 *
 * <ul>
 *   <li>a publish on this node puts its result there before it returns;
 *   <li>a listener on this node's replica does the same for publishes elsewhere.
 * </ul>
 *
 * <p><b>Guaranteed now, on one node:</b> when a publish has returned, no read that starts
 * afterwards resolves a changed sample to its old version. <b>Not guaranteed by this class
 * alone</b>, with more nodes: that the other nodes' listeners have run when a publish returns, and
 * that a node cut off from the grid stops using its views; both need the serving lease, which asks
 * this class for nothing but {@link OpenDataset#view}.
 *
 * <p>All methods may be called from any thread. Opening and publishing wait for the grid, up to 10
 * s, and throw Ignite's exceptions when it fails; reads through {@link OpenDataset} never wait.
 */
public final class VersionKeys implements AutoCloseable {
  /** Changed indices in one publish, at most; more is a new source. */
  public static final int MAX_CHANGED = 1 << 24;

  private static final Logger LOG = LoggerFactory.getLogger(VersionKeys.class);
  private static final long TRANSACTION_TIMEOUT_MILLIS = 10_000;
  private static final int MAX_DATASETS = 4_096;
  private static final int MAX_PIPELINES = 1_024;
  private static final int MAX_SETTINGS = 32;
  private static final int MAX_CHANGED_SETS = 64;
  private static final int MAX_VERSION_KEY_BYTES = 4 << 20;

  /** Free memory below which nothing new is kept, two of the largest version keys. */
  private static final long META_RESERVE_BYTES = 2L * MAX_VERSION_KEY_BYTES;

  private final Ignite ignite;
  private final IgniteCache<Long, byte[]> versions;
  private final IgniteCache<String, byte[]> pipelines;
  private final SortedMap<String, String> defaultSettings;
  private final LongSupplier freeBytes;
  private final ToLongFunction<String> hash;
  private final SecureRandom random = new SecureRandom();
  private final ConcurrentMap<Long, ViewCell> cells = new ConcurrentHashMap<>();
  private final QueryCursor<Cache.Entry<Long, byte[]>> listener;

  /**
   * Starts to follow the version keys.
   *
   * @param versionsCache an existing cache, REPLICATED, TRANSACTIONAL, FULL_SYNC
   * @param pipelinesCache another such cache
   * @param defaultSettings every setting a data set has, with the value it gets when neither the
   *     first open nor an older key says anything
   * @param freeBytes bytes free now in the data region of both caches
   */
  public VersionKeys(
      Ignite ignite,
      String versionsCache,
      String pipelinesCache,
      Map<String, String> defaultSettings,
      LongSupplier freeBytes) {
    this(ignite, versionsCache, pipelinesCache, defaultSettings, freeBytes, Checks::hash);
  }

  VersionKeys(
      Ignite ignite,
      String versionsCache,
      String pipelinesCache,
      Map<String, String> defaultSettings,
      LongSupplier freeBytes,
      ToLongFunction<String> hash) {
    this.ignite = ignite;
    this.versions = cache(ignite, versionsCache);
    this.pipelines = cache(ignite, pipelinesCache);
    this.defaultSettings = new TreeMap<>(defaultSettings);
    this.freeBytes = freeBytes;
    this.hash = hash;
    this.listener = listen();
  }

  private static <K, V> IgniteCache<K, V> cache(Ignite ignite, String name) {
    IgniteCache<K, V> cache = ignite.cache(name);
    if (cache == null) {
      throw new IllegalArgumentException("no cache \"%s\" in this grid".formatted(name));
    }
    return cache;
  }

  private QueryCursor<Cache.Entry<Long, byte[]>> listen() {
    ContinuousQuery<Long, byte[]> query = new ContinuousQuery<>();
    query.setLocal(true);
    query.setLocalListener(
        events -> {
          for (CacheEntryEvent<? extends Long, ? extends byte[]> event : events) {
            if (event.getEventType() == EventType.REMOVED) {
              forget(event.getKey());
            } else {
              follow(event.getKey(), event.getValue());
            }
          }
        });
    // The listener stands before the scan begins, so what changes meanwhile comes twice, not never.
    query.setInitialQuery(new ScanQuery<Long, byte[]>().setLocal(true));
    QueryCursor<Cache.Entry<Long, byte[]>> cursor = versions.query(query);
    cursor.forEach(entry -> follow(entry.getKey(), entry.getValue()));
    return cursor;
  }

  private void forget(long dataset) {
    ViewCell dropped = cells.remove(dataset);
    if (dropped != null) {
      dropped.fail(
          new DatasetRefusedException(
              Reason.UNKNOWN_DATASET, "the data set was dropped, open it again"));
    }
  }

  private void follow(long dataset, byte[] bytes) {
    ViewCell cell = cell(dataset);
    try {
      cell.advance(new DatasetView(Layout.decodeVersionKey(bytes)));
    } catch (RuntimeException e) {
      // Serving on with the former view would be serving stale samples.
      LOG.error("Cannot read the version key of data set {}, not serving it.", hex(dataset), e);
      cell.fail(e);
    }
  }

  private ViewCell cell(long dataset) {
    return cells.computeIfAbsent(dataset, unused -> new ViewCell());
  }

  /**
   * Opens a data set, and makes its version key at the first time.
   *
   * @param tenant who opens, 1 to 63 of {@code A-Z a-z 0-9 . _ -}
   * @param name the tenant's name for the data set, 1 to 255 bytes
   * @param source what the opener's data set is made of
   * @param pipeline the pipeline fingerprint, 1 byte to 32 KiB
   * @param settings what the opener states about the data set; what it leaves out is as kept
   * @throws DatasetRefusedException when something does not fit what is kept
   */
  public OpenDataset open(
      String tenant,
      String name,
      SourceIdentity source,
      String pipeline,
      Map<String, String> settings) {
    String scopedName = scopedName(tenant, name);
    Checks.text("pipeline fingerprint", pipeline, 1, Checks.MAX_PIPELINE_BYTES);
    checkSettings(settings);
    long dataset = hash.applyAsLong(scopedName);
    long pipelineHash = hash.applyAsLong(pipeline);
    String pipelineKey = pipelineKey(dataset, pipelineHash);

    VersionKey key = read(dataset);
    byte[] registered = pipelines.get(pipelineKey);
    if (key == null || registered == null) {
      key =
          inTransaction(
              () -> register(dataset, scopedName, source, settings, pipelineKey, pipeline));
    } else {
      check(key, scopedName, source, settings);
      checkPipeline(registered, pipeline);
    }
    ViewCell cell = cell(dataset);
    cell.advance(new DatasetView(key));
    SortedMap<String, String> kept = new TreeMap<>(defaultSettings);
    kept.putAll(key.settings());
    return new OpenDataset(
        this,
        cell,
        scopedName,
        dataset,
        pipelineHash,
        source,
        Collections.unmodifiableSortedMap(kept));
  }

  private VersionKey register(
      long dataset,
      String scopedName,
      SourceIdentity source,
      Map<String, String> settings,
      String pipelineKey,
      String pipeline) {
    VersionKey kept = read(dataset);
    VersionKey key = kept;
    if (key == null) {
      limit("data sets", versions.size(), MAX_DATASETS);
      SortedMap<String, String> all = new TreeMap<>(defaultSettings);
      all.putAll(settings);
      key = VersionKey.first(scopedName, random.nextLong(), source, all);
    } else {
      check(key, scopedName, source, settings);
    }
    byte[] registered = pipelines.get(pipelineKey);
    if (registered != null) {
      checkPipeline(registered, pipeline);
    } else {
      limit("pipelines of data set \"" + scopedName + "\"", key.pipelines(), MAX_PIPELINES);
      requireRoom();
      pipelines.put(pipelineKey, Layout.encode(new Pipeline(pipeline, null)));
      key = key.withOnePipelineMore();
    }
    if (!key.equals(kept)) {
      versions.put(dataset, Layout.encode(key));
    }
    return key;
  }

  private void check(
      VersionKey key, String scopedName, SourceIdentity source, Map<String, String> settings) {
    checkName(key, scopedName);
    settings.forEach(
        (name, value) -> {
          String kept = key.settings().getOrDefault(name, defaultSettings.get(name));
          if (!value.equals(kept)) {
            throw new DatasetRefusedException(
                Reason.SETTINGS_MISMATCH,
                "data set \"%s\": %s=%s, but it is kept with %s=%s, state the same or leave it out"
                    .formatted(scopedName, name, value, name, kept));
          }
        });
    if (!key.source().equals(source)) {
      throw new DatasetRefusedException(
          Reason.SOURCE_MISMATCH,
          "data set \"%s\": source %s, but it is kept with %s, publish the new source if it replaced the old one, else take another name"
              .formatted(scopedName, source, key.source()));
    }
  }

  private static void checkName(VersionKey key, String scopedName) {
    if (!key.scopedName().equals(scopedName)) {
      throw new DatasetRefusedException(
          Reason.COLLISION,
          "data sets \"%s\" and \"%s\" have the same 64-bit hash, take another name"
              .formatted(scopedName, key.scopedName()));
    }
  }

  private static void checkPipeline(byte[] registered, String fingerprint) {
    String kept = Layout.decodePipeline(registered).fingerprint();
    if (!kept.equals(fingerprint)) {
      throw new DatasetRefusedException(
          Reason.COLLISION,
          "pipeline fingerprints \"%s\" and \"%s\" have the same 64-bit hash, add anything to the fingerprint"
              .formatted(Checks.shortened(fingerprint), Checks.shortened(kept)));
    }
  }

  private void checkSettings(Map<String, String> settings) {
    if (settings.size() > MAX_SETTINGS) {
      throw Checks.malformed(
          "%d settings, take at most %d".formatted(settings.size(), MAX_SETTINGS));
    }
    settings.forEach(
        (name, value) -> {
          if (!defaultSettings.containsKey(name)) {
            throw Checks.malformed(
                "setting \"%s\" is unknown, take one of %s"
                    .formatted(Checks.shortened(name), defaultSettings.keySet()));
          }
          Checks.text("setting " + name, value, 1, Checks.MAX_SETTING_BYTES);
        });
  }

  /**
   * Publishes that the source changed: every sample's version is new. Handles opened with another
   * source are refused from now on.
   *
   * @param requestId 1 to 64 bytes; a repeated request returns what the first one made
   * @return the generation the request made
   * @throws DatasetRefusedException when the data set is unknown or the request id was used for
   *     something else
   */
  public long publish(String tenant, String name, String requestId, SourceIdentity newSource) {
    long content = Checks.hash("source " + newSource);
    return publish(
        tenant, name, requestId, content, (key, request) -> key.published(request, newSource));
  }

  /**
   * Publishes that some samples changed, or that their records are wrong; all others stay as they
   * are. An empty list changes nothing.
   *
   * @param requestId 1 to 64 bytes; a repeated request returns what the first one made
   * @param changed indices in any order, at most {@link #MAX_CHANGED}
   * @return the generation the request made
   * @throws DatasetRefusedException when the data set is unknown, an index is out of range or the
   *     request id was used for something else
   */
  public long publishChanged(String tenant, String name, String requestId, long[] changed) {
    if (changed.length > MAX_CHANGED) {
      throw Checks.malformed(
          "%d changed samples, take at most %d or publish the source"
              .formatted(changed.length, MAX_CHANGED));
    }
    Roaring64NavigableMap indices = new Roaring64NavigableMap();
    for (long index : changed) {
      indices.addLong(index);
    }
    long least = Arrays.stream(changed).min().orElse(0);
    long most = Arrays.stream(changed).max().orElse(0);
    indices.runOptimize();
    long content = Checks.hash(Layout.encode(indices));
    return publish(
        tenant,
        name,
        requestId,
        content,
        (key, request) -> {
          if (changed.length > 0) {
            // The view refuses an index that is out of range, and knows how to say it.
            DatasetView view = new DatasetView(key);
            view.sampleVersion(least);
            view.sampleVersion(most);
          }
          return changed.length == 0 ? key : key.changed(request, indices, MAX_CHANGED_SETS);
        });
  }

  private interface Change {
    VersionKey apply(VersionKey key, Request request);
  }

  private long publish(String tenant, String name, String requestId, long content, Change change) {
    String scopedName = scopedName(tenant, name);
    Checks.text("request id", requestId, 1, Checks.MAX_REQUEST_ID_BYTES);
    long dataset = hash.applyAsLong(scopedName);
    long[] made = new long[1];
    VersionKey now =
        inTransaction(
            () -> {
              VersionKey key = read(dataset);
              if (key == null) {
                throw new DatasetRefusedException(
                    Reason.UNKNOWN_DATASET,
                    "data set \"%s\" is unknown, open it before publishing".formatted(scopedName));
              }
              checkName(key, scopedName);
              Long before = key.generationOf(requestId, content);
              if (before != null) {
                made[0] = before;
                return key;
              }
              VersionKey next =
                  change.apply(key, new Request(requestId, content, key.generation() + 1));
              made[0] = next.generation();
              return next.generation() == key.generation() ? key : put(dataset, key, next);
            });
    // Before the return: a read that starts after it sees the new generation.
    cell(dataset).advance(new DatasetView(now));
    return made[0];
  }

  /** Writes {@code next}, collapsed if it is too large or memory too short for it to grow. */
  private VersionKey put(long dataset, VersionKey former, VersionKey next) {
    byte[] bytes = Layout.encode(next);
    int maxBytes =
        freeBytes.getAsLong() < META_RESERVE_BYTES
            ? Layout.encode(former).length
            : MAX_VERSION_KEY_BYTES;
    if (bytes.length > maxBytes) {
      LOG.warn(
          "The changed-sets of data set \"{}\" need {} bytes, more than {}: all of its samples will be"
              + " loaded again.",
          next.scopedName(),
          bytes.length,
          maxBytes);
      VersionKey collapsed = next.collapsed();
      versions.put(dataset, Layout.encode(collapsed));
      return collapsed;
    }
    versions.put(dataset, bytes);
    return next;
  }

  /** The schema that binds the pipeline's records at {@code view}: the kept one, else this one. */
  Pipeline.Schema learnSchema(OpenDataset open, DatasetView view, long family, String description) {
    Checks.text("schema", description, 0, Checks.MAX_DESCRIPTION_BYTES);
    String pipelineKey = pipelineKey(open.datasetHash(), open.pipelineHash());
    return inTransaction(
        () -> {
          byte[] bytes = pipelines.get(pipelineKey);
          if (bytes == null) {
            throw new DatasetRefusedException(
                Reason.UNKNOWN_DATASET,
                "the pipeline of data set \"%s\" was dropped, open it again"
                    .formatted(open.scopedName()));
          }
          Pipeline pipeline = Layout.decodePipeline(bytes);
          Pipeline.Schema kept = pipeline.schema();
          if (kept != null && kept.bindsAt(view)) {
            return kept;
          }
          requireRoom();
          Pipeline.Schema learned =
              new Pipeline.Schema(view.incarnation(), view.floor(), family, description);
          pipelines.put(pipelineKey, Layout.encode(pipeline.withSchema(learned)));
          return learned;
        });
  }

  private @Nullable VersionKey read(long dataset) {
    byte[] bytes = versions.get(dataset);
    return bytes == null ? null : Layout.decodeVersionKey(bytes);
  }

  private <T> T inTransaction(Supplier<T> work) {
    try (Transaction transaction =
        ignite
            .transactions()
            .txStart(
                TransactionConcurrency.PESSIMISTIC,
                TransactionIsolation.REPEATABLE_READ,
                TRANSACTION_TIMEOUT_MILLIS,
                2)) {
      T result = work.get();
      transaction.commit();
      return result;
    }
  }

  private void requireRoom() {
    long free = freeBytes.getAsLong();
    if (free < META_RESERVE_BYTES) {
      throw new DatasetRefusedException(
          Reason.LIMIT,
          "%d bytes free for version keys < %d, raise memory.metaMaxSize"
              .formatted(free, META_RESERVE_BYTES));
    }
  }

  private static void limit(String what, int count, int max) {
    if (count >= max) {
      throw new DatasetRefusedException(
          Reason.LIMIT, "%d %s, take at most %d".formatted(count, what, max));
    }
  }

  private static String scopedName(String tenant, String name) {
    Checks.tenant(tenant);
    Checks.name(name);
    return tenant + "/" + name;
  }

  private static String pipelineKey(long dataset, long pipeline) {
    return hex(dataset) + "/" + hex(pipeline);
  }

  private static String hex(long hash) {
    return "%016x".formatted(hash);
  }

  /** Stops following the version keys; what is open keeps its last view. */
  @Override
  public void close() {
    listener.close();
  }
}
