package io.trainingday.node.lane;

import static org.assertj.core.api.Assertions.assertThat;

import io.trainingday.lane.LaneMessage.Batch;
import io.trainingday.lane.LaneMessage.Status;
import io.trainingday.lane.LaneMessage.Table;
import io.trainingday.record.CollatedLayout;
import io.trainingday.record.RecordCodec;
import io.trainingday.record.RecordLayout;
import java.nio.ByteBuffer;
import java.util.function.LongToIntFunction;

/** Looks for the bytes of {@link RawClient#record} where the tables of a reply say they are. */
final class BatchCheck {
  private BatchCheck() {}

  /** Fails unless every hit has the bytes of its index. */
  static void assertHolds(Batch batch, ByteBuffer payload, int side, long... indices) {
    assertHolds(batch, payload, index -> side, indices);
  }

  /** As above, for pictures whose side depends on the index. */
  static void assertHolds(
      Batch batch, ByteBuffer payload, LongToIntFunction side, long... indices) {
    assertThat(batch.statuses()).hasSize(indices.length);
    for (int i = 0; i < indices.length; i++) {
      if (batch.statuses()[i] == Status.HIT) {
        int pixels = side.applyAsInt(indices[i]) * side.applyAsInt(indices[i]);
        byte[] expected = new byte[pixels];
        for (int k = 0; k < pixels; k++) {
          expected[k] = RawClient.pixel(indices[i], k);
        }
        byte[] actual = new byte[pixels];
        image(batch, payload, i, pixels).get(actual);
        assertThat(actual).as("sample %d", indices[i]).isEqualTo(expected);
      }
    }
  }

  private static ByteBuffer image(Batch batch, ByteBuffer payload, int i, int pixels) {
    Table table = batch.table();
    if (table instanceof Table.Records records) {
      return RecordCodec.create()
          .decode(payload.slice((int) records.offsets()[i], records.lengths()[i]))
          .field("image")
          .data();
    }
    if (table instanceof Table.Ragged ragged) {
      Table.RaggedField field = ragged.fields().get(0);
      return payload.slice((int) (field.offset() + field.valueOffsets()[i]), pixels);
    }
    byte[] head = ((Table.Collated) table).layout();
    ByteBuffer bytes = ByteBuffer.wrap(head);
    RecordLayout layout =
        RecordLayout.parse(bytes, head.length + (int) RecordLayout.bodyLength(bytes, 0));
    int place = (int) CollatedLayout.of(layout, batch.statuses().length).position(0, i);
    return payload.slice(place, pixels);
  }
}
