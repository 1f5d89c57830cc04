package io.trainingday.node.lane;

import io.trainingday.grid.SampleKey;
import io.trainingday.lane.LaneException;
import io.trainingday.lane.LaneMessage;
import io.trainingday.lane.LaneMessage.Batch;
import io.trainingday.lane.LaneMessage.Status;
import io.trainingday.lane.LaneMessage.Table;
import io.trainingday.node.fill.MissAnswer;
import io.trainingday.node.lane.Sinks.Scratch;
import io.trainingday.node.store.RecordSink;
import io.trainingday.node.store.RecordStore;
import io.trainingday.record.RecordChecksum;
import io.trainingday.record.RecordLayout;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * One READ from request to reply, on its connection's thread.
 *
 * <p>What the store has is laid into the target first ({@link #readStored}). Then the owner is
 * asked about what it has not ({@link #askForMissing}); records that are on their way to the store,
 * or that arrive while the READ waits, come as arrays ({@link #answered}). Versions are resolved
 * once, when the READ starts.
 */
abstract class BatchRead {
  /** What became of the attempt to lay one sample down. */
  enum Placed {
    HIT,
    ABSENT,
    DAMAGED,
    NO_ROOM
  }

  final LaneMessage.Read request;
  final ServedDataset dataset;
  final Target target;
  final Scratch scratch;
  final RecordChecksum checksum;
  final Status[] statuses;
  private final SampleKey[] keys;
  private final long[] leases;
  private final long generation;
  private long hitBytes;
  private long neededBytes;

  static BatchRead of(
      LaneMessage.Read request,
      ServedDataset dataset,
      Target target,
      Scratch scratch,
      RecordChecksum checksum,
      Copiers copiers) {
    return switch (request.shape()) {
      case RECORDS -> new RecordsRead(request, dataset, target, scratch, checksum);
      case COLLATED -> new CollatedRead(request, dataset, target, scratch, checksum, copiers);
      case RAGGED -> new RaggedRead(request, dataset, target, scratch, checksum);
    };
  }

  BatchRead(
      LaneMessage.Read request,
      ServedDataset dataset,
      Target target,
      Scratch scratch,
      RecordChecksum checksum) {
    this.request = request;
    this.dataset = dataset;
    this.target = target;
    this.scratch = scratch;
    this.checksum = checksum;
    long[] indices = request.indices();
    statuses = new Status[indices.length];
    Arrays.fill(statuses, Status.MISS);
    keys = new SampleKey[indices.length];
    leases = new long[indices.length];
    generation = dataset.keys(indices, request.variant(), keys);
  }

  /** Lays sample {@code i} down from the store, or from {@code bytes} where they are given. */
  abstract Placed place(int i, byte @Nullable [] bytes);

  /** The table of the reply and the payload's length, when all samples are settled. */
  abstract Table finish();

  /** Bytes of the payload so far. */
  abstract long payloadBytes();

  final int count() {
    return statuses.length;
  }

  final SampleKey key(int i) {
    return keys[i];
  }

  final Status status(int i) {
    return statuses[i];
  }

  /** Counts the bytes of one hit. */
  final Placed hit(int recordBytes) {
    hitBytes += recordBytes;
    return Placed.HIT;
  }

  /** Bytes of the records that were hits. */
  final long hitBytes() {
    return hitBytes;
  }

  /** Whether the target cannot take the batch. */
  final boolean tooSmall() {
    return neededBytes > 0;
  }

  /** Reads what the store has. Stops early when the target is too small. */
  void readStored() {
    for (int i = 0; i < count() && !tooSmall(); i++) {
      readStored(i);
    }
  }

  final void readStored(int i) {
    settle(i, place(i, null));
  }

  /** Asks the owner about every miss; the statuses then say who loads what. */
  final void askForMissing(long holder) {
    for (int i = 0; i < count() && !tooSmall(); i++) {
      if (statuses[i] == Status.MISS) {
        answered(i, dataset.fills().missing(dataset.store(), keys[i], holder));
      }
    }
  }

  /** Without leases: what is missing may still be on its way to the store. */
  final void readPending() {
    for (int i = 0; i < count() && !tooSmall(); i++) {
      byte[] record = statuses[i] == Status.MISS ? dataset.fills().pending(keys[i]) : null;
      if (record != null) {
        settle(i, place(i, record));
      }
    }
  }

  /** Takes the owner's word on sample {@code i}, first or after a wait. */
  final void answered(int i, MissAnswer answer) {
    switch (answer.kind()) {
      case RECORD -> settle(i, place(i, answer.record()));
      case IN_STORE -> settle(i, place(i, null));
      case GRANTED -> {
        statuses[i] = Status.LEASED_TO_YOU;
        leases[i] = answer.lease();
      }
      case HELD_BY_YOU, LEASED_TO_OTHER -> statuses[i] = Status.LEASED_TO_OTHER;
      case REFUSED -> statuses[i] = Status.MISS;
    }
  }

  final void settle(int i, Placed placed) {
    switch (placed) {
      case HIT -> statuses[i] = Status.HIT;
      case ABSENT, NO_ROOM -> statuses[i] = Status.MISS;
      case DAMAGED -> {
        // Asked about like any miss from here on, unless it was asked about already: then a
        // record that is damaged again stays a miss.
        dataset.counters().damaged.increment();
        dataset.store().remove(keys[i]);
        statuses[i] = Status.MISS;
      }
    }
  }

  /** Notes that the payload needs {@code bytes} and the target has no room for them. */
  final Placed noRoom(long bytes) {
    neededBytes = Math.max(neededBytes, bytes);
    return Placed.NO_ROOM;
  }

  /** Gives back the leases this READ was granted, because no reply will tell of them. */
  final void releaseLeases(long holder) {
    for (int i = 0; i < count(); i++) {
      if (statuses[i] == Status.LEASED_TO_YOU) {
        dataset.fills().release(keys[i], holder, leases[i]);
      }
    }
  }

  /** The reply, when all samples are settled. */
  final Batch reply() {
    boolean inline = target instanceof Target.Inline;
    Table table = tooSmall() ? new Table.Empty() : finish();
    if (tooSmall()) {
      forgetHits();
      if (inline) {
        throw new LaneException(
            LaneException.Code.TOO_LARGE,
            "a batch of %d samples needs %d bytes > lane.maxFrameSize, ask for fewer samples at a time"
                .formatted(count(), neededBytes));
      }
    }
    int leased = count(Status.LEASED_TO_YOU);
    long[] leasesOfReply = new long[leased];
    long[] versions = new long[leased];
    for (int i = 0, k = 0; i < count(); i++) {
      if (statuses[i] == Status.LEASED_TO_YOU) {
        leasesOfReply[k] = leases[i];
        versions[k++] = keys[i].sampleVersion();
      }
    }
    return new Batch(
        generation,
        request.shape(),
        inline && !tooSmall(),
        tooSmall(),
        tooSmall() ? neededBytes : payloadBytes(),
        statuses,
        leasesOfReply,
        versions,
        table);
  }

  private void forgetHits() {
    for (int i = 0; i < count(); i++) {
      statuses[i] = statuses[i] == Status.HIT ? Status.MISS : statuses[i];
    }
  }

  final int count(Status wanted) {
    int found = 0;
    for (Status status : statuses) {
      found += status == wanted ? 1 : 0;
    }
    return found;
  }

  final boolean hasHit() {
    return count(Status.HIT) > 0;
  }

  /** Reads a whole record to the start of scratch; its length, or {@link RecordStore#MISS}. */
  final int readToScratch(int i, byte @Nullable [] bytes) {
    Sinks.Whole sink = new Sinks.Whole();
    int length = pour(i, bytes, sink.at(scratch.address(), scratch.capacity()));
    if (length < 0 && sink.offered() > scratch.capacity()) {
      scratch.ensure(sink.offered());
      length = pour(i, bytes, sink.at(scratch.address(), scratch.capacity()));
    }
    return length;
  }

  /** Gives a record to a sink, from the store or from {@code bytes}. */
  final int pour(int i, byte @Nullable [] bytes, RecordSink sink) {
    if (bytes == null) {
      return dataset.store().read(keys[i], sink);
    }
    if (!sink.begin(bytes.length)) {
      return RecordStore.MISS;
    }
    sink.copy(bytes, 0, bytes.length);
    return bytes.length;
  }

  static long align(long position) {
    return (position + RecordLayout.ALIGNMENT - 1) & -RecordLayout.ALIGNMENT;
  }

  /** Each record whole, at its own place. */
  private static final class RecordsRead extends BatchRead {
    private final Sinks.Whole sink = new Sinks.Whole();
    private final long[] offsets;
    private final int[] lengths;
    private long end;

    RecordsRead(
        LaneMessage.Read request,
        ServedDataset dataset,
        Target target,
        Scratch scratch,
        RecordChecksum checksum) {
      super(request, dataset, target, scratch, checksum);
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
      if (dataset.verify() && !checksum.matches(target.bytes(), (int) end, length)) {
        return Placed.DAMAGED;
      }
      offsets[i] = end;
      lengths[i] = length;
      end = align(end + length);
      return hit(length);
    }

    private long room() {
      return target.bytes().capacity() - end;
    }

    @Override
    Table finish() {
      return new Table.Records(offsets, lengths);
    }

    @Override
    long payloadBytes() {
      return Math.min(end, target.bytes().capacity());
    }
  }
}
