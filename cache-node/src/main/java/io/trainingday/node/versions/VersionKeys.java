package io.trainingday.node.versions;

import io.trainingday.grid.SampleKey;
import io.trainingday.node.membership.Change;
import io.trainingday.node.membership.Fence;
import io.trainingday.node.membership.FenceException;
import io.trainingday.node.versions.DatasetRefusedException.Reason;
import java.security.SecureRandom;
import java.time.Duration;
import java.util.Collections;
import java.util.Map;
import java.util.Optional;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.function.BooleanSupplier;
import java.util.function.Function;
import java.util.function.LongSupplier;
import java.util.function.Predicate;
import java.util.function.ToLongFunction;
import org.apache.ignite.Ignite;
import org.jspecify.annotations.Nullable;
import org.roaringbitmap.longlong.Roaring64NavigableMap;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Opens data sets, publishes their changes and tells every read on this node which version of a
 * sample is current.
 *
 * <p>The truth is one version key per data set in a replicated, transactional, fully synchronous
 * cache; every change is one transaction on it. Reads look at this node's copy.
 *
 * <p><b>When a publish has returned, on whatever node, no read that starts afterwards, on any node,
 * resolves a changed sample to its old version.</b> Three things make it so: each read looks at the
 * copy anew ({@link VersionReplica}); a node answers reads only under a serving lease; a publish
 * ends when every node that may hold one has confirmed that it sees the change, and all others'
 * have run out ({@link io.trainingday.node.membership}).
 *
 * <p>All methods may be called from any thread. Opening and publishing wait for the grid; reads
 * through {@link OpenDataset} do not, but for at most 200 ms while this node's copy is not whole.
 */
public final class VersionKeys implements AutoCloseable {
  /** Whether a record may ever be asked for again. */
  public enum Reach {
    REACHABLE,
    UNREACHABLE,
    /** This node knows of no such data set, yet. */
    UNKNOWN
  }

  /** Changed indices in one publish, at most; more is a new source. */
  public static final int MAX_CHANGED = 1 << 24;

  private static final Logger LOG = LoggerFactory.getLogger(VersionKeys.class);
  private static final int MAX_PIPELINES = 1_024;
  private static final int MAX_SETTINGS = 32;

  private final SortedMap<String, String> defaultSettings;
  private final BooleanSupplier mayServe;
  private final ToLongFunction<String> hash;
  private final SecureRandom random = new SecureRandom();
  private final MetaStore store;
  private final Transactions transactions;
  private final VersionReplica replica;
  private final Fence fence;
  private final Publisher publisher;
  private final @Nullable Recovery recovery;

  /**
   * @param ignite with the meta caches of {@link io.trainingday.grid.GridCaches}
   * @param defaultSettings every setting a data set has, with the value it gets when neither the
   *     first open nor an older key says anything
   * @param freeBytes bytes free now in the data region of the meta caches
   * @param fences makes the fence that publishes pass, from what confirms changes on this node
   * @param mayServe whether this node holds its serving lease; asked with each read
   * @param patience how long opening or publishing may take: longer than the grid needs to notice
   *     that a node failed, and a serving lease
   */
  public VersionKeys(
      Ignite ignite,
      Map<String, String> defaultSettings,
      LongSupplier freeBytes,
      Function<Predicate<Change>, Fence> fences,
      BooleanSupplier mayServe,
      Duration patience) {
    this(ignite, defaultSettings, freeBytes, fences, mayServe, patience, Checks::hash, null);
  }

  /**
   * As above, on a node that keeps the version keys on disk.
   *
   * @param recovery until it is over nothing is opened, published or served; what has been opened
   *     for the first time or published is on the disk of every node that may serve
   */
  public VersionKeys(
      Ignite ignite,
      Map<String, String> defaultSettings,
      LongSupplier freeBytes,
      Function<Predicate<Change>, Fence> fences,
      BooleanSupplier mayServe,
      Duration patience,
      @Nullable Recovery recovery) {
    this(ignite, defaultSettings, freeBytes, fences, mayServe, patience, Checks::hash, recovery);
  }

  VersionKeys(
      Ignite ignite,
      Map<String, String> defaultSettings,
      LongSupplier freeBytes,
      Function<Predicate<Change>, Fence> fences,
      BooleanSupplier mayServe,
      Duration patience,
      ToLongFunction<String> hash,
      @Nullable Recovery recovery) {
    this.defaultSettings = new TreeMap<>(defaultSettings);
    this.mayServe = mayServe;
    this.hash = hash;
    this.store = new MetaStore(ignite, freeBytes);
    this.transactions = new Transactions(ignite, patience);
    this.replica = new VersionReplica(ignite);
    this.recovery = recovery;
    this.fence =
        fences.apply(
            recovery == null
                ? replica::sees
                : change -> replica.sees(change) && recovery.keeps(change));
    this.publisher = new Publisher(store, transactions, fence);
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
   * @throws GridUnavailableException when the grid does not answer
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
    String what = "open of data set \"%s\"".formatted(scopedName);
    long deadline = transactions.deadline();
    awaitRecovery(what, deadline);
    VersionKey key = registered(dataset, scopedName, source, settings, pipelineHash, pipeline);
    if (key == null) {
      key =
          transactions.run(
              what,
              deadline,
              () -> register(dataset, scopedName, source, settings, pipelineHash, pipeline));
      if (recovery != null) {
        // A node of a minority serves nothing and takes no publish: what it opens need not last.
        awaitKept(what, dataset, key, deadline)
            .ifPresent(why -> LOG.debug("{}: not kept: {}", what, why));
      }
    }
    ViewCell cell = replica.cell(dataset);
    cell.advance(new DatasetView(key));
    return new OpenDataset(
        this,
        cell,
        scopedName,
        key.incarnation(),
        pipelineHash,
        source,
        withDefaults(key.settings()));
  }

  private void awaitRecovery(String what, long deadlineNanos) {
    if (recovery != null) {
      recovery.await(what, deadlineNanos);
    }
  }

  /**
   * Waits until every node that serves has a version key, on its disk where it has one.
   *
   * @return why they have not, where this node is of a minority
   */
  private Optional<String> awaitKept(
      String what, long dataset, VersionKey key, long deadlineNanos) {
    try {
      fence.pass(
          new Change(dataset, key.incarnation(), key.generation(), key.revision()), deadlineNanos);
      return Optional.empty();
    } catch (FenceException e) {
      if (e.reason() == FenceException.Reason.MINORITY) {
        return Optional.of(String.valueOf(e.getMessage()));
      }
      throw new GridUnavailableException(
          "%s: not every node has kept it, repeat it: %s".formatted(what, e.getMessage()), e);
    }
  }

  SortedMap<String, String> withDefaults(Map<String, String> settings) {
    SortedMap<String, String> all = new TreeMap<>(defaultSettings);
    all.putAll(settings);
    return Collections.unmodifiableSortedMap(all);
  }

  /** The version key if all is there and fits; else a transaction must say what is the matter. */
  private @Nullable VersionKey registered(
      long dataset,
      String scopedName,
      SourceIdentity source,
      Map<String, String> settings,
      long pipelineHash,
      String fingerprint) {
    try {
      VersionKey key = replica.key(dataset);
      Pipeline pipeline = key == null ? null : replica.pipeline(dataset, pipelineHash);
      if (key == null || pipeline == null) {
        return null;
      }
      check(key, scopedName, source, settings);
      pipeline.requireFingerprint(fingerprint);
      return key;
    } catch (GridUnavailableException | DatasetRefusedException e) {
      LOG.debug("Open of data set \"{}\" needs a transaction.", scopedName, e);
      return null;
    }
  }

  private VersionKey register(
      long dataset,
      String scopedName,
      SourceIdentity source,
      Map<String, String> settings,
      long pipelineHash,
      String fingerprint) {
    VersionKey key = store.key(dataset);
    if (key == null) {
      key = VersionKey.first(scopedName, random.nextLong(), source, withDefaults(settings));
      store.create(dataset, key);
    } else {
      check(key, scopedName, source, settings);
    }
    Pipeline registered = store.pipeline(dataset, pipelineHash);
    if (registered != null) {
      registered.requireFingerprint(fingerprint);
      return key;
    }
    if (key.pipelines() >= MAX_PIPELINES) {
      throw MetaStore.tooMany(
          "pipelines of data set \"" + scopedName + "\"", key.pipelines(), MAX_PIPELINES);
    }
    store.keepPipeline(dataset, pipelineHash, new Pipeline(fingerprint, null));
    VersionKey next = key.withOnePipelineMore();
    store.annotate(dataset, next);
    return next;
  }

  private void check(
      VersionKey key, String scopedName, SourceIdentity source, Map<String, String> settings) {
    key.requireName(scopedName);
    settings.forEach(
        (name, value) -> {
          String kept = key.settings().getOrDefault(name, defaultSettings.get(name));
          if (!value.equals(kept) && !DatasetSettings.isChangeable(name)) {
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
   * What is kept of a data set.
   *
   * @param scopedName tenant, a slash, the data set's name
   * @param settings defaults filled in
   */
  public record Kept(
      String scopedName, SourceIdentity source, SortedMap<String, String> settings) {}

  /**
   * What is kept of a data set as this node has it, by its hash; empty where there is none. Decodes
   * the whole version key: for now and then.
   *
   * @throws GridUnavailableException when this node's copy cannot tell, and no other node does
   */
  public Optional<Kept> kept(long dataset) {
    VersionKey key = replica.key(dataset);
    return key == null
        ? Optional.empty()
        : Optional.of(new Kept(key.scopedName(), key.source(), withDefaults(key.settings())));
  }

  /**
   * The settings of every data set of a name, defaults filled in, by tenant. Decodes all version
   * keys: for now and then.
   *
   * @throws GridUnavailableException when this node has not got its grid's version keys yet
   */
  public SortedMap<String, SortedMap<String, String>> settingsByTenant(String name) {
    awaitRecovery("settings of data sets \"%s\"".formatted(name), transactions.deadline());
    String end = "/" + name;
    SortedMap<String, SortedMap<String, String>> found = new TreeMap<>();
    for (VersionKey key : store.allKeys().values()) {
      String scoped = key.scopedName();
      if (scoped.endsWith(end) && scoped.indexOf('/') == scoped.length() - end.length()) {
        found.put(
            scoped.substring(0, scoped.length() - end.length()), withDefaults(key.settings()));
      }
    }
    return found;
  }

  /**
   * What is current of one sample.
   *
   * @param backups on how many nodes beside the first its records are kept
   * @param fingerprints of the data set's pipelines, by hash in hexadecimal
   */
  public record Current(
      long dataset,
      long incarnation,
      long generation,
      long sampleVersion,
      int backups,
      Map<String, String> fingerprints) {}

  /**
   * What is current of one sample, as this node has it. Decodes the whole version key.
   *
   * @throws DatasetRefusedException when there is no such data set, or it has no such sample
   */
  public Current current(String tenant, String name, long index) throws DatasetRefusedException {
    Checks.tenant(tenant);
    long dataset = datasetHash(tenant, name);
    VersionKey key = replica.key(dataset);
    if (key == null || !key.scopedName().equals(scopedName(tenant, name))) {
      throw new DatasetRefusedException(
          DatasetRefusedException.Reason.UNKNOWN_DATASET,
          "data set \"%s\" is unknown, it is there once a trainer has opened it"
              .formatted(scopedName(tenant, name)));
    }
    if (index < 0 || index >= key.source().length()) {
      throw new DatasetRefusedException(
          DatasetRefusedException.Reason.INDEX_OUT_OF_RANGE,
          "index=%d, allowed: 0–%d, the samples of data set \"%s\""
              .formatted(index, key.source().length() - 1, key.scopedName()));
    }
    Map<String, String> fingerprints = new TreeMap<>();
    String prefix = MetaStore.pipelineKey(dataset, 0);
    String ofDataset = prefix.substring(0, prefix.indexOf('/') + 1);
    store()
        .allPipelines()
        .forEach(
            (pipeline, kept) -> {
              if (pipeline.startsWith(ofDataset)) {
                fingerprints.put(pipeline.substring(ofDataset.length()), kept.fingerprint());
              }
            });
    return new Current(
        dataset,
        key.incarnation(),
        key.generation(),
        key.sampleVersion(index),
        Integer.parseInt(withDefaults(key.settings()).getOrDefault("backups", "0")),
        fingerprints);
  }

  /**
   * Changes settings of a data set, of those that may change ({@link DatasetSettings}). When it
   * returns, every node that serves has the change, and keeps it on its disk where it has one.
   *
   * @return all settings from now on, defaults filled in
   * @throws DatasetRefusedException when the data set is unknown, a setting may not change, a value
   *     is not allowed, or this node has no majority of the grid
   * @throws GridUnavailableException when the grid does not answer, or some node may not have kept
   *     the change; repeat it
   */
  public SortedMap<String, String> change(
      String tenant, String name, Map<String, String> settings) {
    String scopedName = scopedName(tenant, name);
    SortedMap<String, String> checked = DatasetSettings.checked(settings);
    long dataset = hash.applyAsLong(scopedName);
    String what = "change of data set \"%s\"".formatted(scopedName);
    long deadline = transactions.deadline();
    awaitRecovery(what, deadline);
    publisher.requireMajority(what);
    VersionKey changed =
        transactions.run(
            what,
            deadline,
            () -> {
              VersionKey key = store.key(dataset);
              if (key == null) {
                throw new DatasetRefusedException(
                    Reason.UNKNOWN_DATASET,
                    "data set \"%s\" is unknown, open it before changing it".formatted(scopedName));
              }
              key.requireName(scopedName);
              VersionKey next = key.withSettings(checked);
              store.annotate(dataset, next);
              return next;
            });
    awaitKept(what, dataset, changed, deadline)
        .ifPresent(
            why -> {
              throw new DatasetRefusedException(
                  Reason.MINORITY,
                  "%s: it was changed here, but %s; repeat it through a node of the other side"
                      .formatted(what, why));
            });
    return withDefaults(changed.settings());
  }

  /** The hash that stands for a data set in keys. */
  public long datasetHash(String tenant, String name) {
    return hash.applyAsLong(scopedName(tenant, name));
  }

  /**
   * Whether anybody may ever ask for a record with this key again. Some microseconds; true where
   * this node cannot tell.
   */
  public boolean isReachable(SampleKey key) {
    return isRecovering() || reach(key) == Reach.REACHABLE;
  }

  private boolean isRecovering() {
    return recovery != null && !recovery.isOver();
  }

  /** As {@link #isReachable}, and tells records apart of whose data set there is no version key. */
  public Reach reach(SampleKey key) {
    if (isRecovering()) {
      return Reach.UNKNOWN;
    }
    try {
      DatasetView view = replica.view(replica.cell(key.dataset()));
      if (view == null) {
        return Reach.UNKNOWN;
      }
      return view.incarnation() == key.incarnation()
              && key.index() < view.source().length()
              // A newer version than this node knows of is not old.
              && key.sampleVersion() >= view.sampleVersion(key.index())
          ? Reach.REACHABLE
          : Reach.UNREACHABLE;
    } catch (GridUnavailableException | DatasetRefusedException unknown) {
      LOG.debug("Cannot tell whether {} can be reached.", key, unknown);
      return Reach.REACHABLE;
    }
  }

  /**
   * The settings kept for a data set, defaults filled in; empty where this node knows of no such
   * data set. Decodes the version key, so do not ask often.
   *
   * @param dataset hash of its name
   */
  public Map<String, String> settings(long dataset) {
    try {
      VersionKey key = replica.key(dataset);
      return key == null ? Map.of() : withDefaults(key.settings());
    } catch (GridUnavailableException | DatasetRefusedException unknown) {
      LOG.debug("Cannot tell the settings of data set {}.", dataset, unknown);
      return Map.of();
    }
  }

  /**
   * Publishes that the source changed: every sample's version is new. Handles opened with another
   * source are refused from now on.
   *
   * @param requestId 1 to 64 bytes; a repeated request returns what the first one made
   * @param newSource what the data set is made of from now on; empty where that stays the same
   * @return the generation the request made
   * @throws DatasetRefusedException when the data set is unknown, the request id was used for
   *     something else, or this node has no majority of the grid
   * @throws GridUnavailableException when some node may still serve what was before; repeat it
   */
  public long publish(
      String tenant, String name, String requestId, Optional<SourceIdentity> newSource) {
    return publisher.source(target(tenant, name, requestId), newSource);
  }

  /**
   * Publishes that some samples changed, or that their records are wrong; all others stay as they
   * are. An empty list changes nothing.
   *
   * @param changed indices in any order, at most {@link #MAX_CHANGED}
   * @throws DatasetRefusedException as {@link #publish}, and when an index is out of range
   * @throws GridUnavailableException as {@link #publish}
   * @see #publish
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
    return publisher.changed(target(tenant, name, requestId), indices);
  }

  /**
   * Publishes that the samples changed whose stamps differ from those named before. An index that
   * is named for the first time has not changed, so a data set's first manifest changes nothing.
   *
   * @param indices in any order, none twice, at most {@value Manifest#MAX_STAMPS}
   * @param stamps one an index, 1 byte to 1 KiB: a modification time and size, a checksum
   * @throws DatasetRefusedException as {@link #publish}, and when an index is out of range or twice
   * @throws GridUnavailableException as {@link #publish}
   * @see #publish
   */
  public long publishManifest(
      String tenant, String name, String requestId, long[] indices, String[] stamps) {
    return publisher.manifest(target(tenant, name, requestId), Manifest.of(indices, stamps));
  }

  private Publisher.Target target(String tenant, String name, String requestId) {
    String scopedName = scopedName(tenant, name);
    Checks.text("request id", requestId, 1, Checks.MAX_REQUEST_ID_BYTES);
    awaitRecovery("publish of data set \"%s\"".formatted(scopedName), transactions.deadline());
    return new Publisher.Target(scopedName, hash.applyAsLong(scopedName), requestId);
  }

  /** The schema that binds the pipeline's records at {@code view}, if this node has heard of it. */
  Pipeline.@Nullable Schema knownSchema(OpenDataset open, DatasetView view) {
    try {
      Pipeline pipeline = replica.pipeline(open.datasetHash(), open.pipelineHash());
      Pipeline.Schema kept = pipeline == null ? null : pipeline.schema();
      // One that binds is never replaced, so it does not matter how old this node's copy is.
      return kept != null && kept.bindsAt(view) ? kept : null;
    } catch (GridUnavailableException e) {
      LOG.debug("No schema of data set \"{}\" here.", open.scopedName(), e);
      return null;
    }
  }

  /** The schema that binds the pipeline's records at {@code view}: the kept one, else this one. */
  Pipeline.Schema learnSchema(OpenDataset open, DatasetView view, long family, String description) {
    Checks.text("schema", description, 0, Checks.MAX_DESCRIPTION_BYTES);
    return transactions.run(
        "schema of data set \"%s\"".formatted(open.scopedName()),
        transactions.deadline(),
        () -> {
          VersionKey key = store.key(open.datasetHash());
          Pipeline pipeline = store.pipeline(open.datasetHash(), open.pipelineHash());
          if (key == null || pipeline == null) {
            throw new DatasetRefusedException(
                Reason.UNKNOWN_DATASET,
                "the pipeline of data set \"%s\" was dropped, open it again"
                    .formatted(open.scopedName()));
          }
          Pipeline.Schema kept = pipeline.schema();
          if (kept != null && kept.bindsAt(view)) {
            return kept;
          }
          Pipeline.Schema learned =
              new Pipeline.Schema(view.incarnation(), view.floor(), family, description);
          store.keepPipeline(open.datasetHash(), open.pipelineHash(), pipeline.withSchema(learned));
          store.annotate(open.datasetHash(), key.revised());
          return learned;
        });
  }

  /** See {@link VersionReplica#view}. */
  @Nullable DatasetView view(ViewCell cell) {
    return replica.view(cell);
  }

  /**
   * Calls a listener when this node has seen a publish, on a thread that reads: it must be quick.
   * There is one listener.
   */
  public void onPublish(Runnable listener) {
    replica.onNewer(listener);
  }

  boolean mayServe() {
    return mayServe.getAsBoolean() && (recovery == null || recovery.isOver());
  }

  MetaStore store() {
    return store;
  }

  private static String scopedName(String tenant, String name) {
    Checks.tenant(tenant);
    Checks.name(name);
    return tenant + "/" + name;
  }

  /** From now on nothing is known to be current: what is open serves no more. */
  @Override
  public void close() {
    replica.close();
  }
}
