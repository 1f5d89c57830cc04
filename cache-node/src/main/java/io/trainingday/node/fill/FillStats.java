package io.trainingday.node.fill;

import io.trainingday.node.capacity.Refusal;
import java.util.Map;

/**
 * Counters of leases and fills since the start, and gauges of now. Each number is exact by itself;
 * together they are no snapshot of one instant.
 *
 * @param fillsTaken records taken from loaders
 * @param fillsRepeated records of a key whose record was on its way to the store already
 * @param fillsBusy records sent back because too many bytes were in flight
 * @param fillsRefused records that were not taken for good, by reason
 * @param recordsWritten records written to the store
 * @param bytesWritten their bytes
 * @param recordsAlreadyStored taken records that the store held already
 * @param writesFailed taken records that the store failed to write
 * @param recordsDropped taken records dropped because the node closed
 * @param leasesGranted leases given, those taken over included
 * @param leasesExpired leases ended by their deadline
 * @param leasesReleased leases ended by their holder's failure or disconnect
 * @param leasesRefused questions and waits refused by a limit or by closing
 * @param waitersServed waiters that got the record
 * @param waitersGranted waiters that got the lease of a failed holder
 * @param waiterFailures waiters that threw when called
 * @param repairs damaged records removed from the store
 * @param copiesWritten copies of other nodes' records written to this node's disk
 * @param copiesDropped copies that this node's disk did not take
 * @param liveLeases leases held now
 * @param inFlightBytes bytes of records taken and not written or dropped yet
 */
public record FillStats(
    long fillsTaken,
    long fillsRepeated,
    long fillsBusy,
    Map<Refusal, Long> fillsRefused,
    long recordsWritten,
    long bytesWritten,
    long recordsAlreadyStored,
    long writesFailed,
    long recordsDropped,
    long leasesGranted,
    long leasesExpired,
    long leasesReleased,
    long leasesRefused,
    long waitersServed,
    long waitersGranted,
    long waiterFailures,
    long repairs,
    long copiesWritten,
    long copiesDropped,
    long liveLeases,
    long inFlightBytes) {
  public FillStats {
    fillsRefused = Map.copyOf(fillsRefused);
  }
}
