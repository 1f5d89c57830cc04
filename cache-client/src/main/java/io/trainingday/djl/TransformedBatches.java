package io.trainingday.djl;

import ai.djl.ndarray.NDManager;
import ai.djl.training.dataset.Batch;
import io.trainingday.client.SampleBatch;
import java.util.ArrayDeque;
import java.util.Iterator;
import java.util.List;
import java.util.NoSuchElementException;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Future;
import java.util.function.Function;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * One pass over a data set whose samples are still to be transformed after they were read: each
 * batch is read and made by one task of the trainer's executor, some batches ahead. Without an
 * executor it happens when the batch is asked for. Both are what DJL's own iteration does.
 */
final class TransformedBatches implements Iterator<Batch> {
  private final Iterator<List<Long>> order;
  private final Function<long[], SampleBatch> reader;
  private final BatchAssembler assembler;
  private final NDManager manager;
  private final @Nullable ExecutorService executor;
  private final int ahead;
  private final ArrayDeque<Future<Batch>> underWay = new ArrayDeque<>();
  private long progress;

  /**
   * Starts reading ahead.
   *
   * @param order the indices of each batch
   * @param ahead batches made ahead of the one asked for
   */
  TransformedBatches(
      Iterator<List<Long>> order,
      Function<long[], SampleBatch> reader,
      BatchAssembler assembler,
      NDManager manager,
      @Nullable ExecutorService executor,
      int ahead) {
    this.order = order;
    this.reader = reader;
    this.assembler = assembler;
    this.manager = manager;
    this.executor = executor;
    this.ahead = ahead;
    readAhead();
  }

  @Override
  public boolean hasNext() {
    return !underWay.isEmpty() || order.hasNext();
  }

  @Override
  public Batch next() {
    if (executor == null) {
      return nextTask().get();
    }
    Future<Batch> first = underWay.poll();
    if (first == null) {
      throw new NoSuchElementException("the pass is over");
    }
    readAhead();
    try {
      return first.get();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      first.cancel(false);
      throw new IllegalStateException("interrupted while waiting for a batch", e);
    } catch (ExecutionException e) {
      if (e.getCause() instanceof RuntimeException failure) {
        throw failure;
      }
      throw new IllegalStateException("a batch could not be made: " + e.getCause(), e.getCause());
    }
  }

  private void readAhead() {
    while (executor != null && underWay.size() < ahead && order.hasNext()) {
      Supplier<Batch> task = nextTask();
      underWay.add(executor.submit(task::get));
    }
  }

  private Supplier<Batch> nextTask() {
    long[] indices = order.next().stream().mapToLong(Long::longValue).toArray();
    progress += indices.length;
    long end = progress;
    return () -> assembler.batch(reader.apply(indices), manager, end);
  }
}
