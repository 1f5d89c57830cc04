package io.trainingday.node.lane;

import io.trainingday.node.store.RecordSink;
import io.trainingday.record.RecordChecksum;
import java.nio.ByteBuffer;
import org.jspecify.annotations.Nullable;

/** Whole records, each at a place that was made for it. */
final class RecordPlaces implements Places {
  private final ByteBuffer target;
  private final long targetAddress;
  private final long[] offsets;
  private final int[] lengths;
  private final @Nullable RecordChecksum checksum;
  private final Sinks.Whole sink = new Sinks.Whole();
  private boolean taken;

  RecordPlaces(Target target, long[] offsets, int[] lengths, boolean verify) {
    this.target = target.bytes().duplicate();
    this.targetAddress = target.address();
    this.offsets = offsets;
    this.lengths = lengths;
    this.checksum = verify ? new RecordChecksum() : null;
  }

  @Override
  public @Nullable RecordSink begin(int i, int recordBytes, int sentBytes) {
    taken = recordBytes == lengths[i] && sentBytes == recordBytes;
    return taken ? sink.at(targetAddress + offsets[i], recordBytes) : null;
  }

  @Override
  public Outcome end(int i) {
    boolean sound =
        taken && (checksum == null || checksum.matches(target, (int) offsets[i], lengths[i]));
    return sound ? Outcome.LANDED : Outcome.DAMAGED;
  }
}
