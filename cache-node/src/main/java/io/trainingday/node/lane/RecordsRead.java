package io.trainingday.node.lane;

import io.trainingday.lane.LaneMessage;
import io.trainingday.lane.LaneMessage.Table;
import java.util.BitSet;
import org.jspecify.annotations.Nullable;

/** Each record whole, at its own place: those that are here first, then those from elsewhere. */
final class RecordsRead extends BatchRead {
  private final Sinks.Whole sink = new Sinks.Whole();
  private final long[] offsets;
  private final int[] lengths;
  private final BitSet announced = new BitSet();
  private long end;

  RecordsRead(LaneMessage.Read request, ServedDataset dataset, Target target, Copiers.Tools tools) {
    super(request, dataset, target, tools);
    offsets = new long[count()];
    lengths = new int[count()];
  }

  @Override
  Placed place(int i, byte @Nullable [] bytes) {
    int length = pour(i, bytes, sink.at(target.address() + end, room()));
    if (length < 0 && sink.offered() > room()) {
      long needed = end + align(sink.offered()) * (count() - i);
      if (!target.ensure(needed) && !target.ensure(end + sink.offered())) {
        return noRoom(needed);
      }
      length = pour(i, bytes, sink.at(target.address() + end, room()));
    }
    if (length < 0) {
      return Placed.ABSENT;
    }
    if ((dataset.verify() && !checksum.matches(target.bytes(), (int) end, length))
        || freshness.isStale(target.bytes(), (int) end, i)) {
      return placeByScratch(i, bytes);
    }
    append(i, length);
    return hitOf(i, length);
  }

  /**
   * The trainer can write to a slot too late, while it is filled again: only a copy that nobody
   * else can change tells what the record is like.
   */
  private Placed placeByScratch(int i, byte @Nullable [] bytes) {
    int length = readToScratch(i, bytes);
    if (length < 0) {
      return Placed.ABSENT;
    }
    if (dataset.verify() && !checksum.matches(scratch.bytes(), 0, length)) {
      return Placed.DAMAGED;
    }
    if (freshness.isStale(scratch.bytes(), 0, i)) {
      return Placed.STALE;
    }
    if (!target.ensure(end + length)) {
      return noRoom(end + length);
    }
    target.bytes().put((int) end, scratch.bytes(), 0, length);
    append(i, length);
    return hitOf(i, length);
  }

  private void append(int i, int length) {
    offsets[i] = end;
    lengths[i] = length;
    end = align(end + length);
  }

  private long room() {
    return target.bytes().capacity() - end;
  }

  @Override
  Placed announce(int i, HeadPlaces.Head head) {
    announced.set(i);
    return hitOf(i, head.layout().recordLength());
  }

  @Override
  boolean arrange() {
    announced.stream().forEach(i -> append(i, recordBytes(i)));
    announced.clear();
    if (!target.ensure(end)) {
      noRoom(end);
    }
    return !tooSmall();
  }

  @Override
  Places places() {
    return new RecordPlaces(target, offsets, lengths, dataset.verify());
  }

  @Override
  Table table() {
    for (int i = 0; i < count(); i++) {
      if (status(i) != LaneMessage.Status.HIT) {
        offsets[i] = 0;
        lengths[i] = 0;
      }
    }
    return new Table.Records(offsets, lengths);
  }

  @Override
  long payloadBytes() {
    return Math.min(end, target.bytes().capacity());
  }
}
