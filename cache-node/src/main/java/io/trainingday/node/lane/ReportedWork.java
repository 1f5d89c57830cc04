package io.trainingday.node.lane;

import io.trainingday.lane.ReportMessage;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.LongAdder;

/**
 * What trainers tell about one data set, and what follows from it: the loading that hits have
 * saved. A hit saves what a sample takes to load on the average, as far as trainers of this node
 * have told; hits before the first report of a load count once that has come.
 */
final class ReportedWork {
  private final LongAdder[] waitedNanos = {new LongAdder(), new LongAdder()};
  private final LongAdder[] activeNanos = {new LongAdder(), new LongAdder()};
  private final AtomicLong loads = new AtomicLong();
  private final AtomicLong loadNanos = new AtomicLong();
  private final LongAdder savedNanos = new LongAdder();

  /** Hits whose worth is not known yet. */
  private final AtomicLong unvalued = new AtomicLong();

  private volatile long loadNanosOfOne;

  void report(ReportMessage report) {
    int where = report.inWorker() ? 1 : 0;
    waitedNanos[where].add(report.waitedNanos());
    activeNanos[where].add(report.activeNanos());
    if (report.loads() > 0) {
      loadNanosOfOne =
          loadNanos.addAndGet(report.loadNanos()) / Math.max(1, loads.addAndGet(report.loads()));
      savedNanos.add(unvalued.getAndSet(0) * loadNanosOfOne);
    }
  }

  void hits(long count) {
    long one = loadNanosOfOne;
    if (one > 0) {
      savedNanos.add(count * one);
    } else {
      unvalued.addAndGet(count);
    }
  }

  LaneStats.Work snapshot() {
    return new LaneStats.Work(
        waitedNanos[0].sum(),
        activeNanos[0].sum(),
        waitedNanos[1].sum(),
        activeNanos[1].sum(),
        loads.get(),
        loadNanos.get(),
        savedNanos.sum());
  }
}
