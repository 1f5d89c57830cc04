package io.trainingday.node.lane;

import io.trainingday.lane.LaneException;
import io.trainingday.lane.LaneMessage;
import io.trainingday.lane.LaneMessage.Status;
import io.trainingday.lane.LaneMessage.Table;
import io.trainingday.node.lane.Sinks.Scratch;
import io.trainingday.record.MalformedRecordException;
import io.trainingday.record.RecordChecksum;
import io.trainingday.record.RecordLayout;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Each field's values one after the other, in samples of different shapes. Where a sample's values
 * go depends on the shapes of all before it, so only the heads of the records are read at first;
 * the records themselves follow when every sample is settled. A record is immutable under its key,
 * so it can vanish in between but not change.
 */
final class RaggedRead extends BatchRead {
  private static final int MAX_HEAD_BYTES =
      RecordLayout.HEADER_BYTES + RecordLayout.MAX_DESCRIPTOR_BYTES;

  private final @Nullable RecordLayout[] layouts;
  private final byte[] @Nullable [] arrived;
  private final Sinks.Head headSink = new Sinks.Head();
  private long end;

  RaggedRead(
      LaneMessage.Read request,
      ServedDataset dataset,
      Target target,
      Scratch scratch,
      RecordChecksum checksum) {
    super(request, dataset, target, scratch, checksum);
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
      layouts[i] = RecordLayout.parse(scratch.bytes(), length);
    } catch (MalformedRecordException e) {
      return Placed.DAMAGED;
    }
    arrived[i] = bytes;
    return hit(length);
  }

  @Override
  Table finish() {
    while (true) {
      RecordLayout first = firstHit();
      if (first == null) {
        return new Table.Empty();
      }
      List<Table.RaggedField> fields = fields(first);
      if (!target.ensure(end)) {
        noRoom(end);
        return new Table.Empty();
      }
      byte[] head = copyAll(fields);
      if (head != null) {
        return new Table.Ragged(head, fields);
      }
    }
  }

  @Override
  long payloadBytes() {
    return hasHit() ? end : 0;
  }

  private @Nullable RecordLayout firstHit() {
    for (int i = 0; i < count(); i++) {
      if (statuses[i] == Status.HIT) {
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
        if (statuses[i] == Status.HIT && layout != null) {
          RecordLayout.Field field = field(layout, f, rank, i);
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

  private RecordLayout.Field field(RecordLayout layout, int f, int rank, int i) {
    if (f >= layout.fields().size() || layout.fields().get(f).rank() != rank) {
      throw new LaneException(
          LaneException.Code.NOT_COLLATABLE,
          "sample %d is (%s), which has other fields or ranks than its batch; read as records"
              .formatted(request.indices()[i], layout));
    }
    return layout.fields().get(f);
  }

  /** The bytes before the body of one record; null when a record was gone and all starts anew. */
  private byte @Nullable [] copyAll(List<Table.RaggedField> fields) {
    byte[] head = null;
    ByteBuffer out = target.bytes();
    for (int i = 0; i < count(); i++) {
      RecordLayout layout = layouts[i];
      if (statuses[i] != Status.HIT || layout == null) {
        continue;
      }
      int length = readToScratch(i, arrived[i]);
      boolean sound =
          length == layout.recordLength()
              && (!dataset.verify() || checksum.matches(scratch.bytes(), 0, length));
      if (!sound) {
        if (length >= 0) {
          dataset.counters().damaged.increment();
          dataset.store().remove(key(i));
        }
        statuses[i] = Status.MISS;
        return null;
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
    return head;
  }
}
