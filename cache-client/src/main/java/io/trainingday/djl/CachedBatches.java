package io.trainingday.djl;

import ai.djl.ndarray.NDManager;
import ai.djl.training.dataset.Batch;
import io.trainingday.client.BatchStream;
import io.trainingday.client.SampleBatch;
import java.util.Iterator;
import java.util.UUID;

/**
 * One pass over a data set, read ahead by the cache's threads.
 *
 * <p>What was read ahead and never asked for is given back when the pass ends or, if it is left
 * early, when the manager it was made with is closed.
 */
final class CachedBatches implements Iterator<Batch>, AutoCloseable {
  private final BatchStream stream;
  private final BatchAssembler assembler;
  private final NDManager manager;
  private final String resource = UUID.randomUUID().toString();
  private long progress;

  /** Takes over the stream. */
  CachedBatches(BatchStream stream, BatchAssembler assembler, NDManager manager) {
    this.stream = stream;
    this.assembler = assembler;
    this.manager = manager;
    try {
      manager.attachInternal(resource, this);
    } catch (RuntimeException e) {
      stream.close();
      throw e;
    }
  }

  @Override
  public boolean hasNext() {
    if (stream.hasNext()) {
      return true;
    }
    manager.detachInternal(resource);
    close();
    return false;
  }

  @Override
  public Batch next() {
    SampleBatch samples = stream.next();
    progress += samples.size();
    return assembler.batch(samples, manager, progress);
  }

  @Override
  public void close() {
    stream.close();
  }
}
