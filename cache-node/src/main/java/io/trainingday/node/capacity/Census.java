package io.trainingday.node.capacity;

import io.trainingday.grid.SampleKey;

/** Is told what the {@link Sweeper} finds. One walk at a time, but drops at any time. */
interface Census {
  void beginPass();

  /** A partition whose primary this node is will be walked through. */
  void beginPartition(int backups, int partition);

  void seen(SampleKey key, int recordBytes);

  /** All of the partition has been seen. */
  void endPartition();

  /** All partitions have been walked through whose primary this node is; others it is not. */
  void endPass();

  /** A record has been dropped because nobody can reach it. */
  void dropped(SampleKey key, int recordBytes);
}
