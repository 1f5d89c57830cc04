package io.trainingday.node.store;

import io.trainingday.grid.SampleKey;

/** One way to read records; called with the store's {@link ReadGate} entered. */
interface RecordReader {
  /** As {@link RecordStore#read}. */
  int read(SampleKey key, RecordSink sink);

  /** As {@link RecordStore#contains}. */
  boolean contains(SampleKey key);
}
