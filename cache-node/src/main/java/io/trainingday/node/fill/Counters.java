package io.trainingday.node.fill;

import io.trainingday.node.capacity.Refusal;
import io.trainingday.node.latency.Latency;
import java.util.EnumMap;
import java.util.Map;
import java.util.concurrent.atomic.LongAdder;

/** The counters behind {@link FillStats}. */
final class Counters {
  final LongAdder fillsTaken = new LongAdder();
  final LongAdder fillsRepeated = new LongAdder();
  final LongAdder fillsBusy = new LongAdder();
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
  final LongAdder copiesWritten = new LongAdder();
  final LongAdder copiesDropped = new LongAdder();

  /** Of records written, from when they were taken. */
  final Latency writing = new Latency();

  private final Map<Refusal, LongAdder> refused = new EnumMap<>(Refusal.class);

  Counters() {
    for (Refusal refusal : Refusal.values()) {
      if (!refusal.passes()) { // Such a record is sent back as busy.
        refused.put(refusal, new LongAdder());
      }
    }
  }

  void refused(Refusal refusal) {
    refused.computeIfPresent(
        refusal,
        (unused, count) -> {
          count.increment();
          return count;
        });
  }

  FillStats snapshot(long liveLeases, long inFlightBytes) {
    return new FillStats(
        fillsTaken.sum(),
        fillsRepeated.sum(),
        fillsBusy.sum(),
        sums(refused),
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
        copiesWritten.sum(),
        copiesDropped.sum(),
        liveLeases,
        inFlightBytes);
  }

  private static Map<Refusal, Long> sums(Map<Refusal, LongAdder> counters) {
    Map<Refusal, Long> sums = new EnumMap<>(Refusal.class);
    counters.forEach((refusal, count) -> sums.put(refusal, count.sum()));
    return sums;
  }
}
