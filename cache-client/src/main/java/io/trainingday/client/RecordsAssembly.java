package io.trainingday.client;

import io.trainingday.client.SampleBatch.Status;
import io.trainingday.client.SampleBatch.StoredRecord;
import io.trainingday.lane.LaneMemory;
import io.trainingday.lane.LaneMessage.Batch;
import io.trainingday.lane.LaneMessage.Table;
import io.trainingday.record.RecordLayout;
import io.trainingday.record.SampleRecord;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** Each sample for itself. Loaded records stay in the memory they were encoded to. */
final class RecordsAssembly extends KeepingAssembly {
  // Guarded by this.
  private final @Nullable StoredRecord[] records;

  RecordsAssembly(long[] indices, LaneMemory pool, SampleSizes sizes) {
    super(indices, pool, sizes);
    this.records = new @Nullable StoredRecord[indices.length];
  }

  @Override
  synchronized void accept(Batch reply, BatchMemory payload) throws MalformedReplyException {
    keep(payload);
    if (!(reply.table() instanceof Table.Records table)) {
      throw new MalformedReplyException("no table of records");
    }
    for (int i = 0; i < indices.length; i++) {
      if (isHit(reply, i)) {
        records[i] = new StoredRecord(recordAt(table, i, payload.buffer()));
        sizes.learn(table.lengths()[i]);
      }
    }
  }

  /** The bytes of one record of a payload. */
  static ByteBuffer recordAt(Table.Records table, int i, ByteBuffer payload)
      throws MalformedReplyException {
    long offset = table.offsets()[i];
    int length = table.lengths()[i];
    check(
        offset % RecordLayout.ALIGNMENT == 0
            && offset <= payload.capacity()
            && length <= payload.capacity() - offset
            && RecordLayout.isRecord(payload, (int) offset, length),
        () ->
            "no record of %d bytes at %d of a payload of %d"
                .formatted(length, offset, payload.capacity()));
    return payload.slice((int) offset, length);
  }

  @Override
  synchronized void place(int[] positions, SampleRecord record) {
    StoredRecord stored = new StoredRecord(record);
    for (int position : positions) {
      records[position] = stored;
    }
  }

  @Override
  synchronized SampleBatch finish(Status[] statuses, long generation, boolean poison) {
    return new SampleBatch(
        ReadShape.RECORDS,
        indices,
        statuses,
        generation,
        List.of(),
        Arrays.asList(records),
        handOver(),
        poison);
  }
}
