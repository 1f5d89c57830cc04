package io.trainingday.node.lane;

import io.trainingday.node.lane.Sinks.Scatter;
import io.trainingday.record.CollatedLayout;
import io.trainingday.record.RecordChecksum;
import io.trainingday.record.RecordLayout;
import java.nio.ByteBuffer;
import java.util.List;

/**
 * How the samples of one schema are taken apart into a collated batch. Made once per batch from the
 * layout of one of its records, whose bytes before the body go into the reply.
 */
final class Collation {
  private final RecordLayout layout;
  private final CollatedLayout places;
  private final Scatter scatter;

  Collation(RecordLayout layout, int batchSize) {
    this.layout = layout;
    this.places = CollatedLayout.of(layout, batchSize);
    this.scatter = Scatter.of(layout);
  }

  private Collation(Collation other) {
    layout = other.layout;
    places = other.places;
    scatter = new Scatter(other.scatter);
  }

  /** The same collation, with a sink of its own. */
  Collation forAnotherThread() {
    return new Collation(this);
  }

  RecordLayout layout() {
    return layout;
  }

  long totalBytes() {
    return places.totalBytes();
  }

  /** Where a field of sample {@code i} begins in the target. */
  long position(int field, int i) {
    return places.position(field, i);
  }

  /** The sink for sample {@code i}: fields to their places in the target, the head to scratch. */
  Scatter scatter(int i, long headAddress, long targetAddress) {
    scatter.reset();
    scatter.place(0, headAddress);
    for (int f = 0; f < places.fieldCount(); f++) {
      scatter.place(Scatter.fieldPiece(f), targetAddress + places.position(f, i));
    }
    return scatter;
  }

  /** Whether a head fits this collation: then the fields behind it were laid down rightly. */
  boolean fits(ByteBuffer head) {
    return RecordLayout.isRecord(head, 0, layout.recordLength())
        && RecordLayout.schemaHash(head, 0) == layout.schemaHash()
        && RecordLayout.descriptorLength(head, 0) == layout.descriptorLength();
  }

  /** Whether sample {@code i}, its head in scratch, has the bytes it was written with. */
  boolean verify(RecordChecksum checksum, ByteBuffer head, ByteBuffer target, int i) {
    checksum.begin(head, 0);
    for (int f = 0; f < places.fieldCount(); f++) {
      checksum.field(target, Math.toIntExact(places.position(f, i)), places.fieldBytes(f));
    }
    return checksum.matches();
  }

  /** Copies the fields of a whole record with the same schema to their places. */
  void place(ByteBuffer record, RecordLayout recordLayout, ByteBuffer target, int i) {
    List<RecordLayout.Field> fields = recordLayout.fields();
    for (int f = 0; f < fields.size(); f++) {
      RecordLayout.Field field = fields.get(f);
      target.put(Math.toIntExact(places.position(f, i)), record, field.offset(), field.length());
    }
  }
}
