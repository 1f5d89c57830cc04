package io.trainingday.client;

import io.trainingday.client.SampleBatch.Field;
import io.trainingday.client.SampleBatch.Status;
import io.trainingday.lane.LaneMemory;
import io.trainingday.lane.LaneMessage.Batch;
import io.trainingday.lane.LaneMessage.Table;
import io.trainingday.record.RecordLayout;
import io.trainingday.record.SampleRecord;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * One run of values a field. What the node wrote has no room for what was missing, so a batch with
 * holes is written anew when all its samples are there.
 */
final class RaggedAssembly extends KeepingAssembly {
  private final int count;
  // Guarded by this.
  private final @Nullable SampleRecord[] placed;
  private boolean anyPlaced;
  private @Nullable RecordLayout layout;
  private long layoutOf;
  private List<Field> read = List.of();

  RaggedAssembly(long[] indices, LaneMemory pool, SampleSizes sizes) {
    super(indices, pool, sizes);
    this.count = indices.length;
    this.placed = new @Nullable SampleRecord[count];
  }

  @Override
  synchronized void accept(Batch reply, BatchMemory payload) throws MalformedReplyException {
    keep(payload);
    if (!(reply.table() instanceof Table.Ragged table)) {
      check(!hasHits(reply), () -> "hits without a layout");
      return;
    }
    RecordLayout start = parse(table.layout());
    List<RecordLayout.Field> fields = start.fields();
    check(
        fields.size() == table.fields().size(),
        () ->
            "%d fields in the table, %d in the layout"
                .formatted(table.fields().size(), fields.size()));
    List<Field> views = new ArrayList<>(fields.size());
    for (int f = 0; f < fields.size(); f++) {
      views.add(view(fields.get(f), table.fields().get(f), payload.buffer()));
    }
    read = views;
    layout = start;
    for (int i = 0; i < count; i++) {
      if (isHit(reply, i)) {
        layoutOf = indices[i];
        return;
      }
    }
  }

  private Field view(RecordLayout.Field field, Table.RaggedField at, ByteBuffer payload)
      throws MalformedReplyException {
    long[] offsets = at.valueOffsets();
    long end = offsets[count];
    check(
        at.rank() == field.rank()
            && at.offset() % RecordLayout.ALIGNMENT == 0
            && at.offset() <= payload.capacity()
            && end >= 0
            && end <= payload.capacity() - at.offset()
            && offsets[0] == 0,
        () ->
            "field '%s' of rank %d has %d bytes at %d of a payload of %d"
                .formatted(field.name(), at.rank(), end, at.offset(), payload.capacity()));
    for (int i = 0; i < count; i++) {
      int sample = i;
      long bytes = bytes(field.dtype().elementBytes(), at.shapes(), i, at.rank(), end);
      check(
          (bytes >= 0 && offsets[i + 1] - offsets[i] == bytes)
              // A sample that is no hit: nothing at all, a scalar has no shape to say so.
              || (offsets[i + 1] == offsets[i] && isZero(at.shapes(), i, at.rank())),
          () ->
              "sample %d of field '%s' ends at %d, its shape needs %d bytes from %d"
                  .formatted(sample, field.name(), offsets[sample + 1], bytes, offsets[sample]));
    }
    ByteBuffer data = payload.slice((int) at.offset(), (int) end);
    return Field.ragged(field.name(), field.dtype(), at.rank(), data, offsets, at.shapes());
  }

  /** Bytes of one sample; -1 for a shape that is none. */
  private static long bytes(int elementBytes, long[] shapes, int sample, int rank, long most) {
    long bytes = elementBytes;
    for (int d = 0; d < rank; d++) {
      if (shapes[sample * rank + d] == 0) {
        return 0; // Whatever the others are.
      }
    }
    for (int d = 0; d < rank; d++) {
      long extent = shapes[sample * rank + d];
      if (extent < 0 || bytes > most / extent) {
        return -1;
      }
      bytes *= extent;
    }
    return bytes;
  }

  private static boolean isZero(long[] shapes, int sample, int rank) {
    for (int d = 0; d < rank; d++) {
      if (shapes[sample * rank + d] != 0) {
        return false;
      }
    }
    return true;
  }

  @Override
  synchronized void place(int[] positions, SampleRecord record) {
    RecordLayout own = RecordLayout.of(record);
    RecordLayout first = layout;
    long index = indices[positions[0]];
    if (first == null) {
      layout = own;
      layoutOf = index;
    } else if (first.schemaHash() != own.schemaHash() && first.familyHash() != own.familyHash()) {
      throw new CacheException(
          "sample index=%d has %s, but index=%d of the same batch has %s; a ragged read needs equal names, dtypes and ranks: use ReadShape.RECORDS, or give all samples the same fields"
              .formatted(index, own, layoutOf, first));
    }
    anyPlaced = true;
    for (int position : positions) {
      placed[position] = record;
    }
  }

  @Override
  synchronized SampleBatch finish(Status[] statuses, long generation, boolean poison) {
    RecordLayout sample = layout;
    List<Field> fields = read;
    if (anyPlaced && sample != null) {
      fields = write(sample);
    }
    return new SampleBatch(
        ReadShape.RAGGED, indices, statuses, generation, fields, List.of(), handOver(), poison);
  }

  private List<Field> write(RecordLayout sample) {
    List<RecordLayout.Field> fields = sample.fields();
    List<long[]> offsets = new ArrayList<>(fields.size());
    long[] starts = new long[fields.size()];
    long total = 0;
    for (int f = 0; f < fields.size(); f++) {
      long[] ends = new long[count + 1];
      for (int i = 0; i < count; i++) {
        ends[i + 1] = ends[i] + source(f, i).remaining();
      }
      offsets.add(ends);
      starts[f] = total;
      total = (total + ends[count] + RecordLayout.ALIGNMENT - 1) & -RecordLayout.ALIGNMENT;
    }
    BatchMemory target = BatchMemory.of(pool.take(total));
    List<Field> written = new ArrayList<>(fields.size());
    for (int f = 0; f < fields.size(); f++) {
      RecordLayout.Field field = fields.get(f);
      int rank = field.rank();
      long[] ends = offsets.get(f);
      ByteBuffer data = target.buffer().slice((int) starts[f], (int) ends[count]);
      long[] shapes = new long[count * rank];
      for (int i = 0; i < count; i++) {
        ByteBuffer values = source(f, i);
        data.put((int) ends[i], values, 0, values.remaining());
        System.arraycopy(sourceShape(f, i, rank), 0, shapes, i * rank, rank);
      }
      written.add(Field.ragged(field.name(), field.dtype(), rank, data, ends, shapes));
    }
    release();
    keep(target);
    return written;
  }

  private ByteBuffer source(int field, int i) {
    SampleRecord record = placed[i];
    if (record != null) {
      return record.fields().get(field).data();
    }
    return read.isEmpty() ? ByteBuffer.allocate(0) : read.get(field).part(i);
  }

  private long[] sourceShape(int field, int i, int rank) {
    SampleRecord record = placed[i];
    if (record != null) {
      return record.fields().get(field).shape();
    }
    return read.isEmpty() ? new long[rank] : read.get(field).extents(i);
  }
}
