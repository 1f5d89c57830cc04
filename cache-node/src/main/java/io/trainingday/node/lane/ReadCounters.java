package io.trainingday.node.lane;

import io.trainingday.lane.LaneMessage.Batch;
import io.trainingday.lane.LaneMessage.Read;
import io.trainingday.lane.LaneMessage.Status;
import io.trainingday.lane.ReportMessage;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.LongAdder;

/**
 * What became of the reads of one data set on this node.
 *
 * <p>Every sample of an answered READ is counted once, as a hit or a miss of where it came from, or
 * would have come from had it been there: this host, or a peer on another. A sample that somebody
 * else is loading is a miss, too; when the trainer asks again it is counted again. What the misses
 * leave to the trainers is counted beside that, as the origin's: a sample they are to load, because
 * they hold its lease or got none (hit), and a lease they gave back without a record (miss).
 */
final class ReadCounters {
  private static final long MIN_WINDOW = 1_000;

  /** Where samples come from. */
  static final class Source {
    final LongAdder hits = new LongAdder();
    final LongAdder hitBytes = new LongAdder();
    final LongAdder misses = new LongAdder();
  }

  final Source local = new Source();
  final Source peer = new Source();

  /** Of {@code local}, what came from this node's disk. */
  final Source disk = new Source();

  final LongAdder loads = new LongAdder();
  final LongAdder abandoned = new LongAdder();
  final LongAdder damaged = new LongAdder();
  final LongAdder stale = new LongAdder();

  /** Loads whose time is known, see {@link LoadTimes}, and that time. */
  final LongAdder timedLoads = new LongAdder();

  final LongAdder loadNanos = new LongAdder();

  // Samples of batches that were all there, and the time they took in this node.
  private final LongAdder timedReads = new LongAdder();
  private final LongAdder readNanos = new LongAdder();
  volatile long generation;

  private final String dataset;
  private final ReportedWork work = new ReportedWork();

  // The last samples: those of the present window, and of the one before.
  private final AtomicLong windowSamples = new AtomicLong();
  private final AtomicLong windowHits = new AtomicLong();
  private volatile long formerSamples;
  private volatile long formerHits;

  /**
   * @param dataset tenant, a slash, the data set's name
   */
  ReadCounters(String dataset) {
    this.dataset = dataset;
  }

  /** Counts samples to the rate of now; a window is about one pass over the data set. */
  private void countRecent(long samples, long hits, long sourceLength) {
    windowHits.addAndGet(hits);
    long before = windowSamples.getAndAdd(samples);
    long window = Math.max(MIN_WINDOW, sourceLength);
    if (before < window && before + samples >= window) {
      formerHits = windowHits.getAndSet(0);
      formerSamples = windowSamples.getAndSet(0);
    }
  }

  void report(ReportMessage report) {
    work.report(report);
  }

  /**
   * Counts one answer. One that asks for a larger slot is no answer yet, but for its leases.
   *
   * @return the farthest source of its samples
   */
  ReadSource count(Read request, Batch reply, BatchFlow flow) {
    long peerHits = 0;
    generation = reply.generation();
    long localHits = 0;
    long localBytes = 0;
    long localMisses = 0;
    long diskHits = 0;
    long diskBytes = 0;
    long toLoad = 0;
    for (int i = 0; i < reply.statuses().length; i++) {
      Status status = reply.statuses()[i];
      if (status == Status.LEASED_TO_YOU
          || (status == Status.MISS && request.lease() && !reply.tooSmall())) {
        toLoad++;
      }
      if (reply.tooSmall()) {
        continue;
      }
      if (flow.isElsewhere(i)) {
        if (status == Status.HIT) {
          peerHits++;
          peer.hits.increment();
          peer.hitBytes.add(flow.batch().recordBytes(i));
        } else {
          peer.misses.increment();
        }
      } else if (status == Status.HIT) {
        localHits++;
        localBytes += flow.batch().recordBytes(i);
        if (flow.batch().cameFromDisk(i)) {
          diskHits++;
          diskBytes += flow.batch().recordBytes(i);
        }
      } else {
        localMisses++;
      }
    }
    local.hits.add(localHits);
    local.hitBytes.add(localBytes);
    local.misses.add(localMisses);
    disk.hits.add(diskHits);
    disk.hitBytes.add(diskBytes);
    work.hits(localHits + peerHits);
    loads.add(toLoad);
    if (localHits + peerHits == reply.statuses().length) {
      timedReads.add(reply.statuses().length);
      readNanos.add(flow.busyNanos());
    }
    if (!reply.tooSmall()) {
      // What others are loading is asked for again, and counted then.
      countRecent(
          reply.statuses().length - flow.batch().count(Status.LEASED_TO_OTHER),
          localHits + peerHits,
          flow.batch().dataset.sourceLength());
    }
    if (localHits + peerHits < reply.statuses().length) {
      return ReadSource.ORIGIN;
    }
    return peerHits > 0 ? ReadSource.PEER : diskHits > 0 ? ReadSource.DISK : ReadSource.LOCAL;
  }

  LaneStats.Reads snapshot() {
    return new LaneStats.Reads(
        dataset,
        generation,
        snapshot(local),
        snapshot(peer),
        loads.sum(),
        abandoned.sum(),
        damaged.sum(),
        stale.sum(),
        formerHits + windowHits.get(),
        formerSamples + windowSamples.get(),
        timedLoads.sum(),
        loadNanos.sum(),
        timedReads.sum(),
        readNanos.sum(),
        snapshot(disk),
        work.snapshot());
  }

  private static LaneStats.Source snapshot(Source source) {
    return new LaneStats.Source(source.hits.sum(), source.hitBytes.sum(), source.misses.sum());
  }
}
