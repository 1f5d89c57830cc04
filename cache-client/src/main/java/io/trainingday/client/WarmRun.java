package io.trainingday.client;

import io.trainingday.client.CachedSamples.Opened;
import io.trainingday.client.SampleBatch.Status;
import io.trainingday.client.WarmProgress.State;
import io.trainingday.client.WarmUp.Options;
import io.trainingday.lane.LaneMessage.FillResult;
import io.trainingday.record.SampleRecord;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Arrays;
import java.util.Deque;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CancellationException;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The work of a {@link WarmUp}, piece by piece: a few samples are read through, as any trainer
 * reads them, with leases only for those loaded next. A piece is what takes about a quarter of a
 * second, so that whoever wants one of its samples does not wait long. Where all of a piece was
 * there already, the next ones are looked at without leases, more at a time.
 */
final class WarmRun implements FillWatch {
  static final int REFUSALS_IN_A_ROW = 64;

  private static final Logger LOG = LoggerFactory.getLogger(WarmRun.class);
  private static final int MOST_LEASED = 16;

  /** Why another try would not help. */
  private static final Set<String> FOR_GOOD = Set.of(Fills.TOO_LARGE, Fills.DENIED);

  private static final int MOST_LOOKED_AT = 64;
  private static final long MOST_LOOKED_AT_BYTES = 8L << 20;
  private static final long PIECE_NANOS = TimeUnit.MILLISECONDS.toNanos(250);
  private static final long ASK_OWNERS_NANOS = TimeUnit.SECONDS.toNanos(5);
  private static final long LOOK_FOR_NODE_NANOS = TimeUnit.MILLISECONDS.toNanos(100);
  private static final long NANOS_OF_SPEED = TimeUnit.SECONDS.toNanos(10);
  private static final int TRIES = 3;

  /** What nodes say when there is no room. */
  private static final String NO_ROOM = "budget";

  private final TrainingCache cache;
  private final CachedSamples samples;
  private final SampleLoader loader;
  private final Options options;
  private final WarmShare share;
  private final Throttle samplePace;
  private final Throttle bytePace;

  // Of the thread that runs.
  private final Deque<Long> again = new ArrayDeque<>();
  private final Map<Long, Integer> tries = new HashMap<>();
  private int pieceSize;
  private boolean looksFirst;
  private boolean ownersKnown;
  private long ownersAskedNanos;
  private int refusalsInARow;
  private long withoutRoom;
  private int failuresInARow;
  private long lastPieceNanos;

  // Guarded by this.
  private final Map<Long, Fate> fates = new HashMap<>();
  private State state = State.RUNNING;
  private boolean paused;
  private boolean stopped;
  private int news;
  private String reason = "";
  private @Nullable Throwable firstError;
  private long total = -1;
  private long hits;
  private long loaded;
  private long refused;
  private long failed;
  private long bytes;
  private double perSecond;

  /** What became of one sample of the piece. */
  private static final class Fate {
    private boolean made;
    private boolean waits;
    private int recordBytes;
    private @Nullable FillResult result;
    private String droppedFor = "";
    private @Nullable Throwable error;
  }

  WarmRun(TrainingCache cache, DatasetSpec spec, SampleLoader loader, Options options) {
    this.cache = cache;
    this.samples = new CachedSamples(cache, spec, this);
    this.loader = loader;
    this.options = options;
    this.share = new WarmShare(spec.sourceLength(), options.order());
    this.samplePace = new Throttle(options.samplesPerSecond(), System::nanoTime);
    this.bytePace = new Throttle(options.bytesPerSecond(), System::nanoTime);
    this.pieceSize = (int) Math.min(leastLeased(), samplePace.piece());
  }

  /** Throws what opening a data set throws. */
  void open() {
    samples.open();
  }

  void run() {
    cache.wantedSlots().incrementAndGet();
    try {
      lastPieceNanos = System.nanoTime();
      while (!isOver()) {
        if (awaitNode() && awaitTurn()) {
          nextPiece();
        }
      }
    } catch (RuntimeException | Error e) {
      // Of the user's order, of a data set that the node refuses; or the cache was closed.
      String message = e.getMessage();
      end(State.FAILED, message == null ? e.toString() : message, e);
    } finally {
      cache.wantedSlots().decrementAndGet();
      samples.close();
    }
    LOG.info("warm-up of {}: {}", samples.spec(), progress());
  }

  // Whether to go on.

  private synchronized boolean isOver() {
    if (stopped) {
      end(State.STOPPED, "", null);
    }
    return state.isEnd();
  }

  private synchronized void end(State how, String why, @Nullable Throwable error) {
    if (!state.isEnd()) {
      state = stopped ? State.STOPPED : how;
      reason = stopped ? "" : why;
      if (firstError == null && !stopped) {
        firstError = error;
      }
      notifyAll();
    }
  }

  /** Waits for a node and asks now and then what is ours; false when it is over. */
  private boolean awaitNode() {
    long since = System.nanoTime();
    while (!isOver()) {
      if (knowsShare()) {
        return true;
      }
      Duration longest = options.nodeWait();
      if (longest != null && System.nanoTime() - since > longest.toNanos()) {
        String why = "no cache node was there for %d s".formatted(longest.toSeconds());
        end(State.FAILED, why, new CacheException("%s: %s".formatted(samples.spec(), why)));
        return false;
      }
      rest(State.AWAY, "it waits for a cache node", LOOK_FOR_NODE_NANOS);
    }
    return false;
  }

  private boolean knowsShare() {
    Opened opened = samples.enter();
    if (opened == null) {
      return false;
    }
    opened.session().leave();
    if (options.allSamples()) {
      if (!ownersKnown) {
        share.takeAll();
      }
      ownersKnown = true;
    } else if (!ownersKnown || System.nanoTime() - ownersAskedNanos > ASK_OWNERS_NANOS) {
      try {
        share.take(samples.ownership());
        ownersKnown = true;
        ownersAskedNanos = System.nanoTime();
      } catch (CacheException e) {
        LOG.debug("{}: {}", samples.spec(), e.getMessage()); // The node has just gone.
        return false;
      }
    }
    return true;
  }

  /** Waits until the next load may begin; false when something else is to be looked at first. */
  private boolean awaitTurn() {
    synchronized (this) {
      if (paused) {
        rest(State.PAUSED, "", Long.MAX_VALUE);
        return false;
      }
    }
    long delay = Math.max(samplePace.delayNanos(), bytePace.delayNanos());
    if (delay > 0) {
      rest(State.RUNNING, "", Math.min(delay, ASK_OWNERS_NANOS));
      return false;
    }
    synchronized (this) {
      if (!state.isEnd()) {
        state = State.RUNNING;
        reason = "";
      }
    }
    return true;
  }

  /** Waits, or for less when something has been said meanwhile. */
  private synchronized void rest(State as, String why, long nanos) {
    if (stopped || state.isEnd()) {
      return;
    }
    state = as;
    reason = why;
    long started = System.nanoTime();
    int heard = news;
    try {
      for (long left = nanos; heard == news && left > 0; ) {
        wait(TimeUnit.NANOSECONDS.toMillis(left) + 1);
        left = nanos - (System.nanoTime() - started);
      }
    } catch (InterruptedException e) {
      stopped = true; // Nobody interrupts this thread but to end it.
      Thread.currentThread().interrupt();
    }
  }

  synchronized void pause(boolean on) {
    paused = on;
    news++;
    notifyAll();
  }

  synchronized void stop() {
    stopped = true;
    news++;
    notifyAll();
  }

  private synchronized boolean isStopped() {
    return stopped;
  }

  // The pieces.

  private void nextPiece() {
    long[] piece = take(looksFirst ? mostLookedAt() : mostLeased());
    if (piece.length == 0) {
      endOfSamples();
      return;
    }
    if (looksFirst) {
      piece = withoutHits(piece);
      looksFirst = piece.length == 0;
    }
    for (int from = 0; from < piece.length && !isOver(); ) {
      int to = Math.min(piece.length, from + mostLeased());
      if (from == 0 || (awaitNode() && awaitTurn())) {
        warm(Arrays.copyOfRange(piece, from, to));
        from = to;
      }
    }
  }

  private long[] take(int most) {
    long[] piece = new long[most];
    int count = 0;
    while (count < most && !again.isEmpty()) {
      piece[count++] = again.poll();
    }
    for (long index; count < most && (index = share.next()) != WarmShare.NONE; ) {
      piece[count++] = index;
    }
    synchronized (this) {
      total = done() + count + again.size() + share.remaining();
    }
    return Arrays.copyOf(piece, count);
  }

  private synchronized void endOfSamples() {
    if (withoutRoom > 0) {
      end(State.FULL, "the cache is full: it had no room for %d".formatted(withoutRoom), null);
    } else {
      end(State.COMPLETE, "", null);
    }
  }

  /** Looks without leases and counts what is there. */
  private long[] withoutHits(long[] indices) {
    long[] missing = new long[indices.length];
    int count = 0;
    try (SampleBatch batch = samples.read(indices, ReadShape.RECORDS)) {
      for (int i = 0; i < indices.length; i++) {
        if (batch.status(i) == Status.HIT) {
          hit();
        } else {
          missing[count++] = indices[i];
        }
      }
    }
    measure(indices.length - count);
    return Arrays.copyOf(missing, count);
  }

  /** A piece, and not beyond the sample that ends it all if this goes on. */
  private int mostLeased() {
    int last = Math.min(options.maxFailures() - failuresInARow, REFUSALS_IN_A_ROW - refusalsInARow);
    return Math.max(1, Math.min(pieceSize, last));
  }

  private int mostLookedAt() {
    long recordBytes = Math.max(1, samples.sizes().estimate(ReadShape.RECORDS, 1));
    return (int) Math.max(1, Math.min(MOST_LOOKED_AT, MOST_LOOKED_AT_BYTES / recordBytes));
  }

  private int leastLeased() {
    return Math.min(MOST_LEASED, cache.loaderThreads());
  }

  private void warm(long[] piece) {
    long started = System.nanoTime();
    synchronized (this) {
      fates.clear();
      for (long index : piece) {
        fates.put(index, new Fate());
      }
    }
    Status[] statuses = new Status[piece.length];
    RuntimeException error = null;
    // A node that has gone leaves nothing to load for.
    try (SampleBatch batch =
        samples.read(
            piece,
            ReadShape.RECORDS,
            this::load,
            () -> isStopped() || !cache.isAttached(),
            samples.loaders().turn())) {
      for (int i = 0; i < piece.length; i++) {
        statuses[i] = batch.status(i);
      }
    } catch (CancellationException e) {
      LOG.debug("{}: {}", samples.spec(), e.getMessage());
    } catch (SampleLoadException | CacheException e) {
      error = e;
    }
    long made = settle(piece, statuses, error);
    measure(piece.length);
    adapt(piece.length, made, System.nanoTime() - started);
  }

  private SampleRecord load(long index) throws Exception {
    try {
      SampleRecord record = loader.load(index);
      fate(index, fate -> fate.made = record != null);
      return record;
    } catch (Throwable e) {
      fate(index, fate -> fate.error = e);
      throw e;
    }
  }

  private synchronized void fate(long index, Consumer<Fate> change) {
    Fate fate = fates.get(index);
    if (fate != null) {
      change.accept(fate);
      notifyAll();
    }
  }

  @Override
  public void waits(long index) {
    fate(index, fate -> fate.waits = true);
  }

  @Override
  public void settled(long index, int recordBytes, FillResult result, String why) {
    fate(
        index,
        fate -> {
          fate.waits = false;
          fate.recordBytes = recordBytes;
          fate.result = result;
          fate.droppedFor = why;
        });
  }

  /** Counts what became of each; returns how many were loaded. */
  private synchronized long settle(
      long[] piece, Status[] statuses, @Nullable RuntimeException error) {
    awaitFills();
    long made = 0;
    long madeBytes = 0;
    boolean anyFailed = false;
    for (int i = 0; i < piece.length; i++) {
      Fate fate = fates.get(piece[i]);
      if (fate == null) {
        throw new IllegalStateException("sample %d is none of the piece".formatted(piece[i]));
      }
      made += fate.made || fate.error != null ? 1 : 0;
      madeBytes += fate.recordBytes;
      if (fate.error == null && fate.made && error instanceof CacheException) {
        boolean refusedIt = fate.result == null || fate.droppedFor.equals(Fills.ERROR);
        fate.error = refusedIt ? error : null;
      }
      anyFailed |= fate.error != null;
      count(piece[i], statuses[i], fate);
    }
    if (error instanceof CacheException && !anyFailed) {
      throw error; // It is of the data set, not of a sample.
    }
    samplePace.charge((double) made);
    bytePace.charge((double) madeBytes);
    return made;
  }

  private synchronized void count(long index, @Nullable Status status, Fate fate) {
    if (fate.error != null) {
      failed++;
      if (firstError == null) {
        firstError = fate.error;
      }
      if (++failuresInARow >= options.maxFailures()) {
        end(
            State.FAILED,
            "%d samples in a row failed, the first one with: %s"
                .formatted(failuresInARow, firstError),
            fate.error);
      }
    } else if (status == Status.HIT) {
      hits++;
    } else if (fate.result == FillResult.TAKEN) {
      loaded++;
      bytes += fate.recordBytes;
      refusalsInARow = 0;
      failuresInARow = 0;
    } else if (fate.result == FillResult.DROPPED && fate.droppedFor.equals(NO_ROOM)) {
      refused++;
      withoutRoom++;
      failuresInARow = 0;
      if (++refusalsInARow == REFUSALS_IN_A_ROW) {
        String why = "the cache is full: it had no room for %d samples in a row";
        end(State.FULL, why.formatted(refusalsInARow), null);
      }
    } else if (fate.result == FillResult.DROPPED && FOR_GOOD.contains(fate.droppedFor)) {
      refused++;
      failuresInARow = 0;
    } else if (!fate.made || tries.merge(index, 1, Integer::sum) < TRIES) {
      again.add(index); // The node has gone, or has something newer, or others did not load it.
    } else {
      refused++;
    }
  }

  /** Records the node was too busy for are offered again in the background. */
  private synchronized void awaitFills() {
    long until = System.nanoTime() + samples.longestFillNanos();
    while (fates.values().stream().anyMatch(fate -> fate.waits && fate.result == null)) {
      long left = until - System.nanoTime();
      if (left <= 0) {
        return;
      }
      try {
        wait(TimeUnit.NANOSECONDS.toMillis(left) + 1);
      } catch (InterruptedException e) {
        stopped = true;
        Thread.currentThread().interrupt();
        return;
      }
    }
  }

  private synchronized void hit() {
    hits++;
  }

  private void adapt(int pieceLength, long made, long tookNanos) {
    looksFirst = made == 0;
    if (made > 0) {
      double size = (double) pieceLength * PIECE_NANOS / Math.max(1, tookNanos);
      long most = Math.min(MOST_LEASED, samplePace.piece());
      long recordBytes = samples.sizes().estimate(ReadShape.RECORDS, 1);
      if (recordBytes > 0) {
        most = Math.min(most, Math.max(1, bytePace.piece() / recordBytes));
      }
      pieceSize = (int) Math.min(most, Math.max(leastLeased(), (long) size));
    }
  }

  private synchronized void measure(int samplesDone) {
    long now = System.nanoTime();
    double nanos = Math.max(1, now - lastPieceNanos);
    lastPieceNanos = now;
    double speed = samplesDone / nanos * TimeUnit.SECONDS.toNanos(1);
    double weight = perSecond == 0 ? 1 : -Math.expm1(-nanos / NANOS_OF_SPEED);
    perSecond += weight * (speed - perSecond);
  }

  private synchronized long done() {
    return hits + loaded + refused + failed;
  }

  synchronized WarmProgress progress() {
    long left = total - done();
    Optional<Duration> time =
        state.isEnd() || total < 0 || perSecond <= 0
            ? Optional.empty()
            : Optional.of(Duration.ofSeconds(Math.round(left / perSecond)));
    return new WarmProgress(
        state,
        done(),
        total,
        hits,
        loaded,
        refused,
        failed,
        bytes,
        perSecond,
        time,
        reason,
        Optional.ofNullable(firstError));
  }
}
