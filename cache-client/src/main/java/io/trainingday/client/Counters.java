package io.trainingday.client;

import java.util.concurrent.atomic.LongAdder;

/** The running counts behind {@link CacheStats}. */
final class Counters {
  final LongAdder hits = new LongAdder();
  final LongAdder misses = new LongAdder();
  final LongAdder originLoads = new LongAdder();
  final LongAdder waitedForOthers = new LongAdder();
  final LongAdder fillsTaken = new LongAdder();
  final LongAdder fillsDropped = new LongAdder();
  final LongAdder inlineBatches = new LongAdder();
  final LongAdder slotBatches = new LongAdder();
  final LongAdder reconnects = new LongAdder();

  CacheStats snapshot() {
    return new CacheStats(
        hits.sum(),
        misses.sum(),
        originLoads.sum(),
        waitedForOthers.sum(),
        fillsTaken.sum(),
        fillsDropped.sum(),
        inlineBatches.sum(),
        slotBatches.sum(),
        reconnects.sum());
  }
}
