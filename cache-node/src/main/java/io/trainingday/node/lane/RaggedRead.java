package io.trainingday.node.lane;

import io.trainingday.lane.LaneException;
import io.trainingday.lane.LaneMessage;
import io.trainingday.lane.LaneMessage.Status;
import io.trainingday.lane.LaneMessage.Table;
import io.trainingday.record.MalformedRecordException;
import io.trainingday.record.RecordLayout;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Each field's values one after the other, in samples of different shapes. Where a sample's values
 * go depends on the shapes of all before it, so only the heads of the records are read at first,
 * here and elsewhere; the records themselves follow when every sample is settled. A record is
 * immutable under its key, so it can vanish in between but not change.
 */
final class RaggedRead extends BatchRead {
  private static final int MAX_HEAD_BYTES =
      RecordLayout.HEADER_BYTES + RecordLayout.MAX_DESCRIPTOR_BYTES;

  /** What a reply has beside its table, the gaps before the table and the payload included. */
  private static final int REPLY_BYTES = 256;

  private static final int LEASE_BYTES = 16;
  private static final int FIELD_BYTES = 16;

  private final int maxFrameBytes;
  private final @Nullable RecordLayout[] layouts;
  private final byte[] @Nullable [] arrived;
  private final BitSet announced = new BitSet();
  private final Sinks.Head headSink = new Sinks.Head();
  private List<Table.RaggedField> fields = List.of();
  private byte @Nullable [] head;
  private long end;

  private final Layouts known = new Layouts();

  /** What all others must be like. */
  private @Nullable RecordLayout first;

  /**
   * @param maxFrameBytes the most that the reply may have, its table and an inline payload included
   */
  RaggedRead(
      LaneMessage.Read request,
      ServedDataset dataset,
      Target target,
      Copiers.Tools tools,
      int maxFrameBytes) {
    super(request, dataset, target, tools);
    this.maxFrameBytes = maxFrameBytes;
    layouts = new RecordLayout[count()];
    arrived = new byte[count()][];
  }

  @Override
  Placed place(int i, byte @Nullable [] bytes) {
    int length = pour(i, bytes, headSink.at(scratch.address(), MAX_HEAD_BYTES));
    if (length < 0) {
      return Placed.ABSENT;
    }
    try {
      keep(i, known.of(scratch.bytes(), length));
    } catch (MalformedRecordException e) {
      return Placed.DAMAGED;
    }
    if (freshness.isStale(scratch.bytes(), 0, i)) {
      return Placed.STALE;
    }
    arrived[i] = bytes;
    announced.clear(i);
    return hitOf(i, length);
  }

  @Override
  Placed announce(int i, HeadPlaces.Head known) {
    keep(i, known.layout());
    announced.set(i);
    if (head == null) {
      head = known.bytes();
    }
    return hitOf(i, known.layout().recordLength());
  }

  @Override
  boolean isDense() {
    return true;
  }

  @Override
  boolean arrange() {
    RecordLayout first = firstHit();
    if (first == null) {
      return true;
    }
    checkFits(first, 0);
    fields = fields(first);
    if (target instanceof Target.Inline) {
      checkFits(first, end);
    }
    if (!target.ensure(end)) {
      noRoom(end);
    }
    return !tooSmall();
  }

  @Override
  Places places() {
    List<Table.RaggedField> arranged = fields;
    return new ScatteredPlaces(
        target,
        layouts,
        (f, i) -> arranged.get(f).offset() + arranged.get(f).valueOffsets()[i],
        dataset.verify());
  }

  @Override
  Table table() {
    return head == null || !hasHit() ? new Table.Empty() : new Table.Ragged(head, fields);
  }

  @Override
  long payloadBytes() {
    return hasHit() ? end : 0;
  }

  /**
   * A batch that cannot be answered ends here, before more of it is looked at: what its table and
   * its layouts take follows from the first record.
   */
  private void keep(int i, RecordLayout layout) {
    if (first == null) {
      first = layout;
      checkFits(layout, 0);
    } else if (layout != first) {
      requireAlike(layout, first, i);
    }
    layouts[i] = layout;
  }

  /** A table has an entry for each field of each sample, whether that has values or not. */
  private void checkFits(RecordLayout first, long inlineBytes) {
    long tableBytes = first.bodyStart();
    for (RecordLayout.Field field : first.fields()) {
      tableBytes += FIELD_BYTES + Long.BYTES * (count() + 1L + (long) count() * field.rank());
    }
    long replyBytes =
        REPLY_BYTES + count() + LEASE_BYTES * (long) count(Status.LEASED_TO_YOU) + tableBytes;
    if (replyBytes + inlineBytes > maxFrameBytes) {
      throw new LaneException(
          LaneException.Code.TOO_LARGE,
          "a ragged batch of %d samples of %d fields needs %d bytes for its table and %d for values sent with it > lane.maxFrameSize=%d, ask for fewer samples at a time"
              .formatted(count(), first.fields().size(), replyBytes, inlineBytes, maxFrameBytes));
    }
  }

  private @Nullable RecordLayout firstHit() {
    for (int i = 0; i < count(); i++) {
      if (status(i) == Status.HIT) {
        return layouts[i];
      }
    }
    return null;
  }

  /** Gives every field and every sample its place. */
  private List<Table.RaggedField> fields(RecordLayout first) {
    int fieldCount = first.fields().size();
    List<Table.RaggedField> fields = new ArrayList<>(fieldCount);
    end = 0;
    for (int f = 0; f < fieldCount; f++) {
      int rank = first.fields().get(f).rank();
      long[] valueOffsets = new long[count() + 1];
      long[] shapes = new long[count() * rank];
      for (int i = 0; i < count(); i++) {
        RecordLayout layout = layouts[i];
        int length = 0;
        if (status(i) == Status.HIT && layout != null) {
          RecordLayout.Field field = layout.fields().get(f);
          length = field.length();
          for (int r = 0; r < rank; r++) {
            shapes[i * rank + r] = field.dimension(r);
          }
        }
        valueOffsets[i + 1] = valueOffsets[i] + length;
      }
      fields.add(new Table.RaggedField(rank, end, valueOffsets, shapes));
      end = align(end + valueOffsets[count()]);
    }
    return fields;
  }

  private void requireAlike(RecordLayout layout, RecordLayout other, int i) {
    boolean alike = layout.fields().size() == other.fields().size();
    for (int f = 0; alike && f < other.fields().size(); f++) {
      alike = layout.fields().get(f).rank() == other.fields().get(f).rank();
    }
    if (!alike) {
      throw new LaneException(
          LaneException.Code.NOT_COLLATABLE,
          "sample %d is (%s), which has other fields or ranks than its batch; read as records"
              .formatted(request.indices()[i], layout));
    }
  }

  @Override
  boolean layDown() {
    ByteBuffer out = target.bytes();
    for (int i = 0; i < count(); i++) {
      RecordLayout layout = layouts[i];
      if (status(i) != Status.HIT || layout == null || announced.get(i)) {
        continue;
      }
      int length = readToScratch(i, arrived[i]);
      boolean whole = length == layout.recordLength();
      if (!whole || (dataset.verify() && !checksum.matches(scratch.bytes(), 0, length))) {
        settle(i, length < 0 ? Placed.ABSENT : Placed.DAMAGED);
        return false;
      }
      for (int f = 0; f < fields.size(); f++) {
        RecordLayout.Field field = layout.fields().get(f);
        Table.RaggedField place = fields.get(f);
        out.put(
            Math.toIntExact(place.offset() + place.valueOffsets()[i]),
            scratch.bytes(),
            field.offset(),
            field.length());
      }
      if (head == null) {
        head = new byte[layout.bodyStart()];
        scratch.bytes().get(0, head);
      }
    }
    return true;
  }
}
