package io.trainingday.client;

import io.trainingday.client.SampleBatch.Status;
import io.trainingday.lane.LaneMemory;
import io.trainingday.lane.LaneMessage;
import io.trainingday.lane.LaneMessage.Batch;
import io.trainingday.record.MalformedRecordException;
import io.trainingday.record.RecordLayout;
import io.trainingday.record.SampleRecord;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.function.Supplier;

/**
 * A batch in the making. First it may take over what a READ brought, with holes; then the holes are
 * filled, by several threads at once, each position by one. What it holds at the end goes to the
 * batch, or is released.
 */
abstract class Assembly {
  final long[] indices;
  final LaneMemory pool;
  final SampleSizes sizes;

  Assembly(long[] indices, LaneMemory pool, SampleSizes sizes) {
    this.indices = indices;
    this.pool = pool;
    this.sizes = sizes;
  }

  static Assembly of(ReadShape shape, long[] indices, LaneMemory pool, SampleSizes sizes) {
    return switch (shape) {
      case RECORDS -> new RecordsAssembly(indices, pool, sizes);
      case COLLATED -> new CollatedAssembly(indices, pool, sizes);
      case RAGGED -> new RaggedAssembly(indices, pool, sizes);
    };
  }

  /**
   * Takes over a reply and its payload, also when this throws.
   *
   * @param payload the slot that was named or the inline payload
   * @throws MalformedReplyException if the reply does not describe the payload
   */
  abstract void accept(Batch reply, BatchMemory payload) throws MalformedReplyException;

  /** Whether the batch refers to records where they lie, rather than copy them. */
  abstract boolean keepsRecords();

  /** Takes over memory that records lie in; only where records are kept. */
  abstract void keep(BatchMemory memory);

  /**
   * Puts a sample in its places.
   *
   * @param positions places of one index, none of them taken yet
   * @param record where records are kept, in memory that has been taken over
   * @throws CacheException if the sample does not fit the others
   */
  abstract void place(int[] positions, SampleRecord record);

  /** The batch, which holds the memory from now on. */
  abstract SampleBatch finish(Status[] statuses, long generation, boolean poison);

  /** Gives all memory back. */
  abstract void release();

  /** Which positions of a reply are hits. */
  static boolean isHit(Batch reply, int position) {
    return reply.statuses()[position] == LaneMessage.Status.HIT;
  }

  static boolean hasHits(Batch reply) {
    return Arrays.asList(reply.statuses()).contains(LaneMessage.Status.HIT);
  }

  /** The layout whose first bytes stand in a reply's table. */
  RecordLayout parse(byte[] start) throws MalformedReplyException {
    if (start.length < RecordLayout.HEADER_BYTES) {
      throw new MalformedReplyException(
          "layoutBytes=%d, expected at least %d"
              .formatted(start.length, RecordLayout.HEADER_BYTES));
    }
    ByteBuffer bytes = ByteBuffer.wrap(start).order(ByteOrder.LITTLE_ENDIAN);
    RecordLayout known = sizes.known(RecordLayout.schemaHash(bytes, 0));
    if (known != null) {
      return known;
    }
    long length =
        ((RecordLayout.HEADER_BYTES + (long) RecordLayout.descriptorLength(bytes, 0) + 63) & -64)
            + RecordLayout.bodyLength(bytes, 0);
    if (length < 0 || length > RecordLayout.MAX_RECORD_BYTES) {
      throw new MalformedReplyException("a record of %d bytes".formatted(length));
    }
    int padded = (start.length + RecordLayout.ALIGNMENT - 1) & -RecordLayout.ALIGNMENT;
    try {
      RecordLayout layout =
          RecordLayout.parse(ByteBuffer.wrap(Arrays.copyOf(start, padded)), (int) length);
      sizes.learn(layout);
      return layout;
    } catch (MalformedRecordException e) {
      throw new MalformedReplyException(String.valueOf(e.getMessage()));
    }
  }

  static void check(boolean holds, Supplier<String> what) throws MalformedReplyException {
    if (!holds) {
      throw new MalformedReplyException(what.get());
    }
  }
}
