package io.trainingday.client;

import java.util.ArrayDeque;
import java.util.Iterator;
import java.util.NoSuchElementException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;

/** Reads the next batches while the last one is in use. */
final class ReadAhead implements BatchStream {
  /** More would only wait for each other: batches share the loaders and the one connection. */
  private static final int MAX_THREADS = 8;

  /** A stream that nobody asks for long keeps no threads. */
  private static final long IDLE_SECONDS = 60;

  private final CachedSamples samples;
  private final Iterator<long[]> batches;
  private final ReadShape shape;
  private final SampleLoader loader;
  private final int depth;
  private final long maxBytes;
  private final AtomicInteger wantedSlots;
  private final ExecutorService threads;
  private final ArrayDeque<CompletableFuture<SampleBatch>> ahead = new ArrayDeque<>();

  /** How many samples each of those ahead has. */
  private final ArrayDeque<Integer> counts = new ArrayDeque<>();

  private final WorkReport.Loop loop;

  private long samplesAhead;

  /** The batch after those ahead, where there was no room for it yet. */
  private long @Nullable [] upcoming;

  /** What the batches' own iterator threw: it comes when those ahead, which it gave, are out. */
  private @Nullable Throwable endOfBatches;

  private final AtomicBoolean closed = new AtomicBoolean();

  ReadAhead(
      CachedSamples samples,
      Iterator<long[]> batches,
      ReadShape shape,
      SampleLoader loader,
      int depth,
      long maxBytes,
      AtomicInteger wantedSlots) {
    this.samples = samples;
    this.batches = batches;
    this.shape = shape;
    this.loader = loader;
    this.depth = depth;
    this.maxBytes = maxBytes;
    this.wantedSlots = wantedSlots;
    this.threads = threads(Math.min(depth, MAX_THREADS));
    this.loop = samples.work().loop();
    wantedSlots.addAndGet(slots());
  }

  private static ExecutorService threads(int most) {
    ThreadPoolExecutor threads =
        new ThreadPoolExecutor(
            most,
            most,
            IDLE_SECONDS,
            TimeUnit.SECONDS,
            new LinkedBlockingQueue<>(),
            DaemonThreads.named("training-day-read-ahead"));
    threads.allowCoreThreadTimeOut(true);
    return threads;
  }

  @Override
  public boolean hasNext() {
    return !ahead.isEmpty()
        || (!closed.get() && (upcoming != null || endOfBatches != null || batches.hasNext()));
  }

  @Override
  public SampleBatch next() {
    if (closed.get()) {
      throw new IllegalStateException("the stream is closed");
    }
    long started = System.nanoTime();
    request();
    CompletableFuture<SampleBatch> first = ahead.poll();
    if (first == null) {
      throwEndOfBatches();
      throw new NoSuchElementException("all batches have been read");
    }
    samplesAhead -= counts.remove();
    try {
      SampleBatch batch = first.join();
      request();
      loop.waited(started, System.nanoTime());
      return batch;
    } catch (CompletionException e) {
      if (e.getCause() instanceof RuntimeException cause) {
        throw cause;
      }
      if (e.getCause() instanceof Error error) {
        throw error;
      }
      throw e;
    }
  }

  /** Once; then the iterator is asked again, as it would be by whoever used it themselves. */
  private void throwEndOfBatches() {
    Throwable end = endOfBatches;
    endOfBatches = null;
    if (end instanceof RuntimeException failure) {
      throw failure;
    }
    if (end instanceof Error failure) {
      throw failure;
    }
  }

  private void request() {
    if (endOfBatches == null) {
      try {
        requestWhatFits();
      } catch (RuntimeException | Error e) {
        endOfBatches = e;
      }
    }
  }

  private void requestWhatFits() {
    while (ahead.size() < depth) {
      long[] indices = upcoming;
      if (indices == null) {
        if (!batches.hasNext()) {
          return;
        }
        indices = batches.next().clone(); // It may give out one array again and again.
      }
      if (!ahead.isEmpty() && !fits(indices.length)) {
        upcoming = indices;
        return;
      }
      upcoming = null;
      add(indices);
    }
  }

  private boolean fits(int more) {
    if (maxBytes == Long.MAX_VALUE) {
      return true;
    }
    long one = samples.sizes().estimate(shape, 1);
    return one > 0 && (samplesAhead + more) <= maxBytes / one;
  }

  private void add(long[] indices) {
    long turn = samples.loaders().turn();
    ahead.add(
        CompletableFuture.supplyAsync(
            () -> samples.read(indices, shape, loader, closed::get, turn), threads));
    counts.add(indices.length);
    samplesAhead += indices.length;
  }

  /** One in use, one on its way to the user, the others read ahead. */
  private int slots() {
    return depth + 2;
  }

  @Override
  public void close() {
    if (!closed.compareAndSet(false, true)) {
      return; // Its owner and the collector's thread may both come.
    }
    wantedSlots.addAndGet(-slots());
    threads.shutdown();
    for (CompletableFuture<SampleBatch> one : ahead) {
      // A read that failed has freed everything itself, and its error is nobody's any more.
      CompletableFuture<Void> unused = one.thenAccept(SampleBatch::close);
    }
    ahead.clear();
  }
}
