package io.trainingday.bench.policy;

/** A cache that reads a trace. */
interface Contender extends AutoCloseable {
  /** Reads samples in this order, and fills in those that are missing; how many were found. */
  long read(int[] samples);

  @Override
  void close();
}
