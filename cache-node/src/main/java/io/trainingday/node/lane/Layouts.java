package io.trainingday.node.lane;

import io.trainingday.record.MalformedRecordException;
import io.trainingday.record.RecordLayout;
import java.nio.ByteBuffer;
import java.util.HashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * The layouts of the records of one batch, each kind once: a batch may name 65,536 records of tens
 * of kilobytes of descriptor each, and they differ in few ways. For one thread.
 */
final class Layouts {
  private record Kind(long schemaHash, int descriptorLength, int recordLength) {}

  private final Map<Kind, RecordLayout> known = new HashMap<>();

  /**
   * How the fields of a record lie; attributes, stamp and time may be another one's.
   *
   * @param head its first bytes, header and descriptor at least
   * @throws MalformedRecordException when these are none
   */
  RecordLayout of(ByteBuffer head, int recordLength) {
    if (!RecordLayout.isRecord(head, 0, recordLength)) {
      return RecordLayout.parse(head, recordLength); // Says what is wrong.
    }
    Kind kind =
        new Kind(
            RecordLayout.schemaHash(head, 0), RecordLayout.descriptorLength(head, 0), recordLength);
    @Nullable RecordLayout layout = known.get(kind);
    if (layout == null) {
      layout = RecordLayout.parse(head, recordLength);
      known.put(kind, layout);
    }
    return layout;
  }
}
