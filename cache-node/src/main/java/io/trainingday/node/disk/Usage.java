package io.trainingday.node.disk;

import java.util.concurrent.atomic.LongAdder;

/** Counts what {@link DiskStats} tells. */
final class Usage {
  final LongAdder records = new LongAdder();
  final LongAdder recordBytes = new LongAdder();
  final LongAdder refusedBudget = new LongAdder();
  final LongAdder refusedDiskFull = new LongAdder();
  final LongAdder refusedTooLarge = new LongAdder();
  final LongAdder damaged = new LongAdder();
  final LongAdder rewrittenBytes = new LongAdder();

  DiskStats stats(long usedBytes, long budgetBytes) {
    return new DiskStats(
        records.sum(),
        recordBytes.sum(),
        usedBytes,
        budgetBytes,
        refusedBudget.sum(),
        refusedDiskFull.sum(),
        refusedTooLarge.sum(),
        damaged.sum(),
        rewrittenBytes.sum());
  }
}
