package io.trainingday.client;

import io.trainingday.record.SampleRecord;
import java.util.Iterator;

/**
 * The samples of one data set, read through the cache. Thread-safe; threads read their batches side
 * by side.
 */
@SuppressWarnings("DoNotCallSuggester")
public final class CachedSamples implements AutoCloseable {
  private CachedSamples() {}

  /** What was opened. */
  public DatasetSpec spec() {
    throw new UnsupportedOperationException();
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
    throw new UnsupportedOperationException();
  }

  /**
   * Reads what the cache has of one batch and loads nothing. A node that is away has nothing.
   *
   * @return the batch, in which {@link SampleBatch#status} tells what is missing
   */
  public SampleBatch read(long[] indices, ReadShape shape) {
    throw new UnsupportedOperationException();
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
    throw new UnsupportedOperationException();
  }

  /**
   * Puts one sample into the cache, whether it is there or not.
   *
   * @return whether the node took it; false if it is away, under pressure, or does not keep it
   * @throws CacheException if the node refuses the record: too large, or other fields than the rest
   */
  public boolean fill(long index, SampleRecord record) {
    throw new UnsupportedOperationException();
  }

  /** What happened so far. */
  public CacheStats stats() {
    throw new UnsupportedOperationException();
  }

  /** Ends the use of the data set. Batches handed out stay valid. */
  @Override
  public void close() {}
}
