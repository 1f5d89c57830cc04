package io.trainingday.client;

import io.trainingday.lane.LaneException;
import io.trainingday.lane.LaneMemory;
import io.trainingday.lane.LaneMessage;
import io.trainingday.lane.LaneMessage.Open;
import io.trainingday.lane.LaneMessage.OpenReply;
import io.trainingday.lane.OwnersMessage;
import io.trainingday.lane.ReportMessage;
import java.io.IOException;
import java.util.Iterator;
import java.util.Locale;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.BooleanSupplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The samples of one data set, read through the cache. Thread-safe; threads read their batches side
 * by side.
 */
public final class CachedSamples implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(CachedSamples.class);
  private static final long OPEN_AGAIN_NANOS = TimeUnit.SECONDS.toNanos(1);
  private static final int MAX_DEPTH = 1_000;
  private static final long REPORT_MILLIS = 5_000;
  private static final int REPORTS_SINCE_VERSION = 2;

  private final TrainingCache cache;
  private final DatasetSpec spec;
  private final Counters counters = new Counters();
  private final SampleSizes sizes = new SampleSizes();
  private final WorkReport work = new WorkReport();
  private final boolean trains;
  private final Future<?> reports;
  private final Fills fills;
  private final AtomicBoolean saidTooLarge = new AtomicBoolean();
  private final AtomicBoolean saidFailed = new AtomicBoolean();
  private final Object opening = new Object();
  private volatile @Nullable Opened opened;
  private volatile boolean closed;
  // Guarded by opening.
  private boolean openFailed;
  private long openFailedNanos;

  /** The data set on one connection. */
  static final class Opened {
    private final Session session;
    private final int handle;
    private final AtomicBoolean readOnly = new AtomicBoolean();

    private Opened(Session session, int handle) {
      this.session = session;
      this.handle = handle;
    }

    Session session() {
      return session;
    }

    int handle() {
      return handle;
    }

    /** Whether the node has said that this connection may not fill the data set. */
    boolean isReadOnly() {
      return readOnly.get();
    }

    /** The node has taken a record, so it may again: a token's grants were widened. */
    void mayFill() {
      if (readOnly.get()) {
        readOnly.set(false);
      }
    }

    /**
     * The node has said so.
     *
     * @return whether that is new
     */
    boolean becomeReadOnly() {
      return !readOnly.getAndSet(true);
    }
  }

  CachedSamples(TrainingCache cache, DatasetSpec spec, FillWatch watch) {
    this.cache = cache;
    this.spec = spec;
    this.trains = watch == FillWatch.NONE;
    this.fills = new Fills(spec, counters, watch, cache.memory(), cache.background());
    this.reports = cache.background().every(this::report, REPORT_MILLIS);
  }

  /** What was opened. */
  public DatasetSpec spec() {
    return spec;
  }

  /**
   * Reads one batch; what the cache does not have is loaded from the origin, once among all
   * trainers, and kept. Blocks until all samples are there; never longer than the loads, the answer
   * timeout and the lease wait together.
   *
   * @param indices 1–65,536 samples, in the order wanted; the same one may stand there repeatedly
   * @param loader called on the cache's threads for the samples that are missing
   * @return the batch, to be closed by the caller
   * @throws IllegalArgumentException if an index is negative or not below the source's length
   * @throws SampleLoadException if the loader failed for a sample; the others have been kept
   * @throws CacheException if the samples do not fit the shape, or the node refuses the data set
   */
  public SampleBatch read(long[] indices, ReadShape shape, SampleLoader loader) {
    if (!trains || LoaderPool.isLoading()) {
      return read(indices, shape, loader, () -> false, loaders().turn());
    }
    long started = System.nanoTime();
    SampleBatch batch = read(indices, shape, loader, () -> false, loaders().turn());
    work.loopOfThread().waited(started, System.nanoTime());
    return batch;
  }

  /**
   * Reads what the cache has of one batch and loads nothing. A node that is away has nothing.
   *
   * @return the batch, in which {@link SampleBatch#status} tells what is missing
   */
  public SampleBatch read(long[] indices, ReadShape shape) {
    return read(indices, shape, null, () -> false, loaders().turn());
  }

  SampleBatch read(
      long[] indices,
      ReadShape shape,
      @Nullable SampleLoader loader,
      BooleanSupplier cancelled,
      long turn) {
    if (indices.length < 1 || indices.length > LaneMessage.MAX_COUNT) {
      throw new IllegalArgumentException(
          "a batch of %d samples, allowed: 1–%d".formatted(indices.length, LaneMessage.MAX_COUNT));
    }
    long[] own = indices.clone();
    for (long index : own) {
      checkIndex(index);
    }
    return new BatchRead(this, own, shape, loader, cancelled, turn).run();
  }

  /**
   * Reads batches ahead on threads of its own, and hands them out in order.
   *
   * @param batches what to read; asked from one thread at a time
   * @param depth how many batches are read ahead of the one handed out last, 1–1,000
   * @return closing it cancels what is under way and frees what was not handed out
   */
  public BatchStream stream(
      Iterator<long[]> batches, ReadShape shape, SampleLoader loader, int depth) {
    return stream(batches, shape, loader, depth, Long.MAX_VALUE);
  }

  /**
   * As {@link #stream(Iterator, ReadShape, SampleLoader, int)}, and reads no further ahead than the
   * batches fit into so many bytes; one is read ahead however large it is. Until the size of a
   * sample is known, that is all.
   *
   * @param depth the most batches that are read ahead, 1–1,000
   * @param maxBytes that the batches read ahead may take, at least 1
   */
  public BatchStream stream(
      Iterator<long[]> batches, ReadShape shape, SampleLoader loader, int depth, long maxBytes) {
    if (depth < 1 || depth > MAX_DEPTH) {
      throw new IllegalArgumentException("depth=%d, allowed: 1–%d".formatted(depth, MAX_DEPTH));
    }
    if (maxBytes < 1) {
      throw new IllegalArgumentException("maxBytes=%d, allowed: 1 or more".formatted(maxBytes));
    }
    checkOpen();
    return new ReadAhead(this, batches, shape, loader, depth, maxBytes, cache.wantedSlots());
  }

  /**
   * Fills the cache in the background, see {@link WarmUp}; with defaults, so only with samples that
   * this host's nodes own.
   *
   * @throws CacheException if the node refuses the data set
   */
  public WarmUp warm(SampleLoader loader) {
    return warm(loader, WarmUp.Options.builder().build());
  }

  /**
   * Fills the cache in the background, see {@link WarmUp}. It goes on when these samples are
   * closed, and is no part of their {@link #stats}.
   *
   * @param loader as of {@link #read(long[], ReadShape, SampleLoader)}
   * @throws CacheException if the node refuses the data set
   */
  public WarmUp warm(SampleLoader loader, WarmUp.Options options) {
    checkOpen();
    return cache.warm(spec, loader, options);
  }

  /**
   * Which cache node holds which partition of the data set now.
   *
   * @throws CacheException if there is no node, or it does not answer in time
   */
  public Ownership ownership() {
    Opened current = enter();
    if (current == null) {
      throw new CacheException(
          "who holds what of %s is not known: no cache node answers".formatted(spec));
    }
    try {
      OwnersMessage.Request request = new OwnersMessage.Request(current.handle());
      return Ownership.of((OwnersMessage.Reply) current.session().call(request).message());
    } catch (IOException | LaneException e) {
      throw new CacheException(
          "who holds what of %s is not known: %s".formatted(spec, e.getMessage()), e);
    } finally {
      current.session().leave();
    }
  }

  /**
   * Agrees with the other ranks of a job on who owns what, for the plan of one epoch; waits for
   * them. Where there is a process group, pass {@link #ownership} on by that instead.
   *
   * @param epoch 0 or more; each is agreed on by itself
   * @throws CacheException if a rank has not come within the group's deadline, or the ranks' world
   *     sizes differ
   */
  public EpochOwnership agree(RankGroup group, long epoch) {
    checkOpen();
    return new GridAgreement(cache, group, epoch).reach(() -> ownership().snapshot());
  }

  /** What happened so far. */
  public CacheStats stats() {
    return counters.snapshot();
  }

  /** Ends the use of the data set. Batches handed out stay valid. */
  @Override
  public void close() {
    if (!closed) {
      closed = true;
      reports.cancel(false);
      report();
    }
  }

  /** Tells the node how its trainer fares, if it wants to know. */
  private void report() {
    Opened current = opened;
    if (current == null
        || current.session().isClosed()
        || current.session().limits().version() < REPORTS_SINCE_VERSION) {
      return;
    }
    for (boolean inWorker : new boolean[] {false, true}) {
      ReportMessage report = work.take(current.handle(), inWorker);
      if (report != null) {
        current.session().tell(report);
      }
    }
  }

  /**
   * The data set on the connection there is, null if it cannot be had now.
   *
   * @throws CacheException if the node refuses it
   */
  @Nullable Opened open() {
    checkOpen();
    Session session = cache.attachment().session();
    Opened known = opened;
    if (session == null || (known != null && known.session == session)) {
      return session == null ? null : known;
    }
    synchronized (opening) {
      known = opened;
      if (known != null && known.session == session) {
        return known;
      }
      if (openFailed && System.nanoTime() - openFailedNanos < OPEN_AGAIN_NANOS) {
        return null;
      }
      try {
        OpenReply reply = (OpenReply) session.call(request()).message();
        if (known != null) {
          counters.reconnects.increment();
        }
        openFailed = false;
        Opened fresh = new Opened(session, reply.handle());
        opened = fresh;
        return fresh;
      } catch (IOException e) {
        return null; // The session has said so.
      } catch (LaneException e) {
        // Training that has begun goes on: another node may know the data set otherwise.
        if (!e.code().retryable() && known == null) {
          throw new CacheException("%s: %s".formatted(spec, e.getMessage()), e);
        }
        openFailed = true;
        openFailedNanos = System.nanoTime();
        sayOnce("it could not be opened, samples come from the origin meanwhile", e);
        return null;
      }
    }
  }

  /**
   * The data set on the connection there is, whose session the caller leaves again; null if it
   * cannot be had now.
   *
   * @throws CacheException if the node refuses it
   */
  @Nullable Opened enter() {
    Opened current = open();
    while (current != null && !current.session().enter()) {
      current = open(); // Another session has just taken the place of that one.
    }
    return current;
  }

  private Open request() {
    DatasetSpec.Validation validation = spec.validation();
    return new Open(
        spec.sourceLength(),
        spec.sourceDigest(),
        spec.name(),
        spec.pipeline(),
        validation == null ? "" : validation.name().toLowerCase(Locale.ROOT),
        spec.backups().orElse(Open.BACKUPS_AS_KEPT));
  }

  LaneMemory memory() {
    return cache.memory();
  }

  LoaderPool loaders() {
    return cache.loaders();
  }

  int loaderThreads() {
    return cache.loaderThreads();
  }

  WorkReport work() {
    return work;
  }

  Counters counters() {
    return counters;
  }

  SampleSizes sizes() {
    return sizes;
  }

  Fills fills() {
    return fills;
  }

  boolean poisons() {
    return cache.config().poisonReleased();
  }

  long leaseWaitNanos() {
    return cache.config().leaseWaitNanos();
  }

  /** How long {@link Fills} may offer a record to a busy node. */
  long longestFillNanos() {
    Opened current = opened;
    return current == null ? 0 : current.session().longestFillNanos();
  }

  /** Warns of what would otherwise be said for every batch. */
  void sayOnce(String what, LaneException e) {
    if (saidFailed.compareAndSet(false, true)) {
      LOG.warn("{}: {}: {}", spec, what, e.getMessage());
    } else {
      LOG.debug("{}: {}: {}", spec, what, e.getMessage());
    }
  }

  void sayTooLarge(long index, int bytes, int most) {
    if (saidTooLarge.compareAndSet(false, true)) {
      LOG.warn("{}. Samples that large are loaded anew each time", tooLarge(index, bytes, most));
    }
  }

  private String tooLarge(long index, int bytes, int most) {
    return "sample index=%d of %s: record of %d bytes > maxRecordBytes=%d, raise lane.maxRecordSize of the node or store less in a sample"
        .formatted(index, spec, bytes, most);
  }

  private void checkIndex(long index) {
    if (index < 0 || index >= spec.sourceLength()) {
      throw new IllegalArgumentException(
          spec.sourceLength() == 0
              ? "index=%d, but %s is empty".formatted(index, spec)
              : "index=%d of %s, allowed: 0–%d".formatted(index, spec, spec.sourceLength() - 1));
    }
  }

  private void checkOpen() {
    cache.checkOpen();
    if (closed) {
      throw new IllegalStateException("%s is closed".formatted(spec));
    }
  }
}
