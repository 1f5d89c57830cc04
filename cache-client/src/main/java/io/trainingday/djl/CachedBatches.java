package io.trainingday.djl;

import ai.djl.ndarray.NDManager;
import ai.djl.training.dataset.Batch;
import io.trainingday.client.BatchStream;
import io.trainingday.client.SampleBatch;
import java.lang.ref.Cleaner;
import java.lang.ref.Reference;
import java.util.Iterator;
import java.util.UUID;

/**
 * One pass over a data set, read ahead by the cache's threads.
 *
 * <p>What was read ahead and never asked for is given back when the pass ends, be it by an
 * exception. One that is left early ends when nobody can reach it any more, or when the manager it
 * was made with is closed: that of a trainer lives as long as the training, through many passes.
 */
final class CachedBatches implements Iterator<Batch> {
  private static final Cleaner CLEANER =
      Cleaner.create(
          task -> {
            Thread thread = new Thread(task, "training-day-passes-left");
            thread.setDaemon(true);
            return thread;
          });

  private final BatchStream stream;
  private final BatchAssembler assembler;
  private final NDManager manager;
  private final Cleaner.Cleanable end;
  private long progress;

  /** Takes over the stream. */
  CachedBatches(BatchStream stream, BatchAssembler assembler, NDManager manager) {
    this.stream = stream;
    this.assembler = assembler;
    this.manager = manager;
    String resource = UUID.randomUUID().toString();
    try {
      manager.attachInternal(resource, stream);
    } catch (RuntimeException e) {
      stream.close();
      throw e;
    }
    end = CLEANER.register(this, new End(stream, manager, resource));
  }

  /** Without a way back to the pass, which could never be left otherwise. */
  private record End(BatchStream stream, NDManager manager, String resource) implements Runnable {
    @Override
    public void run() {
      manager.detachInternal(resource);
      stream.close();
    }
  }

  @Override
  public boolean hasNext() {
    boolean more = false;
    try {
      more = stream.hasNext();
      return more;
    } finally {
      endUnless(more);
    }
  }

  @Override
  public Batch next() {
    boolean made = false;
    try {
      SampleBatch samples = stream.next();
      progress += samples.size();
      Batch batch = assembler.batch(samples, manager, progress);
      made = true;
      return batch;
    } finally {
      endUnless(made);
    }
  }

  private void endUnless(boolean goesOn) {
    try {
      if (!goesOn) {
        end.clean();
      }
    } finally {
      Reference.reachabilityFence(this); // Until here nobody else may end it.
    }
  }
}
