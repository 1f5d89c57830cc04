package io.trainingday.client;

import java.util.Iterator;

/**
 * Batches read ahead, in order. {@link #next} waits until the batch is there and throws what its
 * read threw, or what the iterator that names the batches threw in its place; the caller closes
 * every batch it got. For one thread at a time.
 */
public interface BatchStream extends Iterator<SampleBatch>, AutoCloseable {
  /** Cancels what is under way and frees every batch that was not handed out. */
  @Override
  void close();
}
