package io.trainingday.client;

import io.trainingday.client.SampleBatch.Field;
import io.trainingday.client.SampleBatch.Status;
import io.trainingday.lane.LaneMemory;
import io.trainingday.lane.LaneMessage.Batch;
import io.trainingday.lane.LaneMessage.Table;
import io.trainingday.record.CollatedLayout;
import io.trainingday.record.RecordLayout;
import io.trainingday.record.SampleRecord;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** One array a field. Holes are filled in place. */
final class CollatedAssembly extends Assembly {
  // Guarded by this; the batch's memory is written without the lock, each place by one thread.
  private @Nullable BatchMemory memory;
  private @Nullable RecordLayout layout;
  private @Nullable CollatedLayout places;
  private long layoutOf;

  CollatedAssembly(long[] indices, LaneMemory pool, SampleSizes sizes) {
    super(indices, pool, sizes);
  }

  @Override
  synchronized void accept(Batch reply, BatchMemory payload) throws MalformedReplyException {
    memory = payload;
    if (!(reply.table() instanceof Table.Collated table)) {
      check(!hasHits(reply), () -> "hits without a layout");
      return;
    }
    RecordLayout start = parse(table.layout());
    CollatedLayout batch = CollatedLayout.of(start, indices.length);
    check(
        batch.totalBytes() <= payload.buffer().capacity()
            && batch.totalBytes() == reply.payloadBytes(),
        () ->
            "payloadBytes=%d in memory of %d, the layout needs %d"
                .formatted(reply.payloadBytes(), payload.buffer().capacity(), batch.totalBytes()));
    layout = start;
    places = batch;
    for (int i = 0; i < indices.length; i++) {
      if (isHit(reply, i)) {
        layoutOf = indices[i];
        return;
      }
    }
  }

  @Override
  void place(int[] positions, SampleRecord record) {
    CollatedLayout batch = places(RecordLayout.of(record), indices[positions[0]]);
    ByteBuffer target = target();
    List<SampleRecord.Field> fields = record.fields();
    for (int f = 0; f < fields.size(); f++) {
      ByteBuffer data = fields.get(f).data();
      for (int position : positions) {
        target.put(Math.toIntExact(batch.position(f, position)), data, 0, batch.fieldBytes(f));
      }
    }
  }

  /** The batch's layout; the first sample decides it, in memory that fits. */
  private synchronized CollatedLayout places(RecordLayout own, long index) {
    RecordLayout first = layout;
    CollatedLayout batch = places;
    if (first != null && batch != null) {
      if (first.schemaHash() != own.schemaHash()) {
        throw new CacheException(
            "sample index=%d has %s, but index=%d of the same batch has %s; %s"
                .formatted(index, own, layoutOf, first, BatchRead.NOT_COLLATABLE_ADVICE));
      }
      return batch;
    }
    batch = CollatedLayout.of(own, indices.length);
    BatchMemory given = memory;
    if (given == null || given.buffer().capacity() < batch.totalBytes()) {
      BatchMemory fresh = BatchMemory.of(pool.take(batch.totalBytes()));
      if (given != null) {
        given.release();
      }
      memory = fresh;
    }
    layout = own;
    layoutOf = index;
    places = batch;
    return batch;
  }

  private synchronized ByteBuffer target() {
    BatchMemory given = memory;
    if (given == null) {
      throw new IllegalStateException("the batch was given up");
    }
    return given.buffer();
  }

  @Override
  boolean keepsRecords() {
    return false;
  }

  @Override
  void keep(BatchMemory recordMemory) {
    throw new UnsupportedOperationException("collated samples are copied");
  }

  @Override
  synchronized SampleBatch finish(Status[] statuses, long generation, boolean poison) {
    List<Field> fields = new ArrayList<>();
    BatchMemory given = memory;
    RecordLayout sample = layout;
    CollatedLayout batch = places;
    if (given != null && sample != null && batch != null) {
      for (int f = 0; f < batch.fieldCount(); f++) {
        long bytes = (long) batch.fieldBytes(f) * indices.length;
        ByteBuffer data = given.buffer().slice((int) batch.fieldOffset(f), (int) bytes);
        fields.add(Field.collated(sample.fields().get(f), data, indices.length));
      }
    }
    memory = null;
    return new SampleBatch(
        ReadShape.COLLATED,
        indices,
        statuses,
        generation,
        fields,
        List.of(),
        given == null ? List.of() : List.of(given),
        poison);
  }

  @Override
  synchronized void release() {
    BatchMemory given = memory;
    memory = null;
    if (given != null) {
      given.release();
    }
  }
}
