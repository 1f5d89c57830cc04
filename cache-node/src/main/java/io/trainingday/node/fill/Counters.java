package io.trainingday.node.fill;

import java.util.concurrent.atomic.LongAdder;

/** The counters behind {@link FillStats}. */
final class Counters {
  final LongAdder fillsTaken = new LongAdder();
  final LongAdder fillsRepeated = new LongAdder();
  final LongAdder fillsBusy = new LongAdder();
  final LongAdder fillsRefused = new LongAdder();
  final LongAdder recordsWritten = new LongAdder();
  final LongAdder bytesWritten = new LongAdder();
  final LongAdder recordsAlreadyStored = new LongAdder();
  final LongAdder writesFailed = new LongAdder();
  final LongAdder recordsDropped = new LongAdder();
  final LongAdder leasesGranted = new LongAdder();
  final LongAdder leasesExpired = new LongAdder();
  final LongAdder leasesReleased = new LongAdder();
  final LongAdder leasesRefused = new LongAdder();
  final LongAdder waitersServed = new LongAdder();
  final LongAdder waitersGranted = new LongAdder();
  final LongAdder waiterFailures = new LongAdder();
  final LongAdder repairs = new LongAdder();

  FillStats snapshot(long liveLeases, long inFlightBytes) {
    return new FillStats(
        fillsTaken.sum(),
        fillsRepeated.sum(),
        fillsBusy.sum(),
        fillsRefused.sum(),
        recordsWritten.sum(),
        bytesWritten.sum(),
        recordsAlreadyStored.sum(),
        writesFailed.sum(),
        recordsDropped.sum(),
        leasesGranted.sum(),
        leasesExpired.sum(),
        leasesReleased.sum(),
        leasesRefused.sum(),
        waitersServed.sum(),
        waitersGranted.sum(),
        waiterFailures.sum(),
        repairs.sum(),
        liveLeases,
        inFlightBytes);
  }
}
