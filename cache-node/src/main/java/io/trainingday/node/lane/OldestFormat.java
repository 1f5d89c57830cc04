package io.trainingday.node.lane;

import io.trainingday.lane.LaneMessage.Batch;
import io.trainingday.lane.LaneMessage.Table;
import io.trainingday.record.RecordFormat;
import java.nio.ByteBuffer;

/** Batches for trainers of the release before, which read no records but of the oldest format. */
final class OldestFormat {
  private OldestFormat() {}

  /** Turns what a finished batch shows of its records' format into the oldest one, in place. */
  static void apply(Batch reply, ByteBuffer payload) {
    if (reply.table() instanceof Table.Records records) {
      for (int i = 0; i < records.offsets().length; i++) {
        if (records.lengths()[i] > 0) {
          RecordFormat.toOldest(
              payload, Math.toIntExact(records.offsets()[i]), records.lengths()[i]);
        }
      }
    } else if (reply.table() instanceof Table.Collated collated) {
      RecordFormat.headToOldest(ByteBuffer.wrap(collated.layout()), 0);
    } else if (reply.table() instanceof Table.Ragged ragged) {
      RecordFormat.headToOldest(ByteBuffer.wrap(ragged.layout()), 0);
    }
  }
}
