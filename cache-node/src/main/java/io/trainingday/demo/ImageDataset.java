package io.trainingday.demo;

import ai.djl.ndarray.NDManager;
import ai.djl.training.dataset.RandomAccessDataset;
import ai.djl.training.dataset.Record;
import ai.djl.util.Progress;
import java.io.IOException;
import java.util.concurrent.atomic.AtomicLong;

/**
 * Labelled images that count how often they are loaded: the origin of the demo.
 *
 * <p>A view of some rows of a source. Thread-safe: the loader threads call {@link #get} at once.
 */
abstract class ImageDataset extends RandomAccessDataset {
  private final int[] rows;
  private final AtomicLong loads = new AtomicLong();
  private final AtomicLong loadNanos = new AtomicLong();

  ImageDataset(int[] rows) {
    // Every epoch brings its own sampler; DJL insists on one here.
    super(new Builder().setSampling(1, false).optPrefetchNumber(LoaderPool.BATCHES_AHEAD));
    this.rows = rows.clone();
  }

  /** Decodes and preprocesses the image of a source row; called by several threads at once. */
  abstract Record load(NDManager manager, int row) throws IOException;

  @Override
  public final Record get(NDManager manager, long index) throws IOException {
    loads.incrementAndGet();
    long start = System.nanoTime();
    try {
      return load(manager, rows[Math.toIntExact(index)]);
    } finally {
      loadNanos.addAndGet(System.nanoTime() - start);
    }
  }

  /** Number of calls of {@link #get} so far, failed ones included. */
  final long loads() {
    return loads.get();
  }

  /** Time spent in {@link #get} so far, of all threads together. */
  final double loadSeconds() {
    return loadNanos.get() / 1e9;
  }

  @Override
  protected final long availableSize() {
    return rows.length;
  }

  @Override
  public final void prepare(Progress progress) {}

  private static final class Builder extends BaseBuilder<Builder> {
    @Override
    protected Builder self() {
      return this;
    }
  }
}
