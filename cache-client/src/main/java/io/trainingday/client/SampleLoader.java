package io.trainingday.client;

import io.trainingday.record.SampleRecord;

/**
 * Makes one sample from its origin: reads, decodes and transforms it. Called from several threads
 * at once, and only for an index whose record the cache has not, or does not give in time.
 */
@FunctionalInterface
public interface SampleLoader {
  /**
   * Makes a sample. The result's buffers must stay as they are until the batch that asked for it
   * has been returned.
   *
   * @param index 0 ≤ index &lt; length of the source
   * @throws Exception whatever went wrong; the caller of the read gets it as the cause of a {@link
   *     SampleLoadException}
   */
  SampleRecord load(long index) throws Exception;
}
