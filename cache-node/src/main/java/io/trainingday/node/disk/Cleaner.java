package io.trainingday.node.disk;

import java.io.IOException;
import java.util.Comparator;
import java.util.Optional;
import java.util.function.BooleanSupplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Gives back the space of records that were removed or replaced: the records around them are copied
 * to the newest segment, and the segment is deleted.
 *
 * <p>The segment with most dead bytes goes first. Random eviction, which spreads them evenly, is
 * the worst there is: with 64 MiB and records of 30,000 bytes, storing 1 byte then costs writing
 * 5.6, and 92 % of the budget are records that can be read. Without eviction nothing is dead but
 * what was dropped, and whole segments go without any copying.
 */
final class Cleaner {
  /** With less than this part dead, a segment is not worth copying though room is wanted. */
  private static final int LEAST_DEAD_SHARE = 8;

  /** With this part dead, a segment is copied though nobody wants room. */
  private static final int IDLE_DEAD_SHARE = 3;

  /** What the evictor is asked for at a time. */
  private static final int EVICTED_SHARE = 16;

  private static final Logger LOG = LoggerFactory.getLogger(Cleaner.class);

  private final Records records;
  private final Sizes sizes;
  private final Staging staging;
  private final Usage usage;
  private final DiskOptions.Evictor evictor;
  private final BooleanSupplier closing;

  Cleaner(
      Records records,
      Sizes sizes,
      Staging staging,
      Usage usage,
      DiskOptions.Evictor evictor,
      BooleanSupplier closing) {
    this.records = records;
    this.sizes = sizes;
    this.staging = staging;
    this.usage = usage;
    this.evictor = evictor;
    this.closing = closing;
  }

  /** What a step came to. */
  enum Step {
    /** Something was done; there may be more to do. */
    DONE,
    /** Only removing records helps. */
    EVICTION_WANTED,
    NOTHING
  }

  /** Does one piece of work at most. */
  Step step() throws IOException {
    records.finishDying(IDLE_DEAD_SHARE);
    records.deleteDead();
    boolean roomWanted = records.usedBytes() > sizes.highWater(records.indexTableBytes());
    Optional<Segment> emptiest =
        records.segments().full().stream().max(Comparator.comparingLong(Segment::deadBytes));
    int share = roomWanted ? LEAST_DEAD_SHARE : IDLE_DEAD_SHARE;
    if (emptiest.isPresent()
        && emptiest.get().deadBytes() * share >= emptiest.get().size()
        && records.hasSpace(emptiest.get().liveBytes())) {
      return empty(emptiest.get()) ? Step.DONE : Step.NOTHING;
    }
    return roomWanted ? Step.EVICTION_WANTED : Step.NOTHING;
  }

  /**
   * Asks for room, with no lock held.
   *
   * @return whether there is some
   */
  boolean evict() {
    return evictor.evict(sizes.budget() / EVICTED_SHARE) > 0;
  }

  /** False when it was stopped before its end. */
  private boolean empty(Segment segment) throws IOException {
    Staging.Piece piece = staging.take();
    try {
      SegmentScan scan = new SegmentScan(segment, piece.bytes);
      for (SegmentScan.Entry entry = scan.next(); entry != null; entry = scan.next()) {
        if (closing.getAsBoolean()) {
          return false;
        }
        if (records.move(entry.key(), segment, entry.location())) {
          usage.rewrittenBytes.add(entry.location().entryBytes());
        }
      }
      if (scan.unreadableBytes() > 0) {
        LOG.warn(
            "{} bytes of {} could not be read, the records in them are lost: look at the disk",
            scan.unreadableBytes(),
            segment);
      }
    } finally {
      staging.free(piece);
    }
    // What is live still stands behind a header that is damaged or cannot be read: nobody could
    // read it any more.
    records.delete(segment);
    return true;
  }

  /** Fills an index that was begun anew, the newest records first. */
  void restoreIndex() throws IOException {
    Staging.Piece piece = staging.take();
    try {
      var newestFirst =
          records.segments().all().stream()
              .sorted(Comparator.comparingInt(Segment::number).reversed())
              .toList();
      for (Segment segment : newestFirst) {
        SegmentScan scan = new SegmentScan(segment, piece.bytes);
        for (SegmentScan.Entry entry = scan.next(); entry != null; entry = scan.next()) {
          if (closing.getAsBoolean()) {
            return;
          }
          records.restore(entry.key(), entry.location());
        }
      }
    } finally {
      staging.free(piece);
    }
  }
}
