package io.trainingday.node.lane;

import java.util.concurrent.atomic.LongAdder;

/** What became of the reads of one data set on this node. */
final class ReadCounters {
  final LongAdder hits = new LongAdder();
  final LongAdder hitBytes = new LongAdder();
  volatile long generation;
  final LongAdder misses = new LongAdder();
  final LongAdder damaged = new LongAdder();
}
