package io.trainingday.node.capacity;

import io.trainingday.grid.SampleKey;

/** Is told what is read, for the policies that ask. Thread-safe. */
public interface ReadRecorder {
  /** A data set is going to be read here, though this node may hold nothing of it. */
  void opened(long dataset);

  /** Whether a data set's policy wants to know; some nanoseconds. */
  boolean wants(long dataset);

  /**
   * Notes that records of one data set have been read here, once for a whole batch. Keeps the
   * array. Takes some ten nanoseconds, whatever the number of keys.
   */
  void read(long dataset, SampleKey[] keys);
}
