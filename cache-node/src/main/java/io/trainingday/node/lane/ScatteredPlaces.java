package io.trainingday.node.lane;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.PooledByteBufAllocator;
import io.trainingday.node.lane.Sinks.Scatter;
import io.trainingday.node.store.NativeMemory;
import io.trainingday.node.store.RecordSink;
import io.trainingday.record.RecordChecksum;
import io.trainingday.record.RecordLayout;
import java.nio.ByteBuffer;
import org.jspecify.annotations.Nullable;

/** Records taken apart into fields, each record's layout and each field's place being known. */
final class ScatteredPlaces implements Places {
  /** Where a field's values begin in the target. */
  @FunctionalInterface
  interface Positions {
    long of(int field, int i);
  }

  private final ByteBuffer target;
  private final long targetAddress;
  private final @Nullable RecordLayout[] layouts;
  private final Positions positions;
  private final @Nullable RecordChecksum checksum;
  private final ByteBuf headBuffer;
  private final ByteBuffer head;
  private boolean taken;

  /**
   * @param layouts of the samples that may come, by their position in the batch
   * @param verify whether records are held against their checksum
   */
  ScatteredPlaces(
      Target target, @Nullable RecordLayout[] layouts, Positions positions, boolean verify) {
    this.target = target.bytes().duplicate();
    this.targetAddress = target.address();
    this.layouts = layouts;
    this.positions = positions;
    this.checksum = verify ? new RecordChecksum() : null;
    int headBytes = 0;
    for (RecordLayout layout : layouts) {
      headBytes = layout == null ? headBytes : Math.max(headBytes, layout.bodyStart());
    }
    this.headBuffer = PooledByteBufAllocator.DEFAULT.directBuffer(headBytes);
    this.head = Target.view(headBuffer);
  }

  @Override
  public @Nullable RecordSink begin(int i, int recordBytes, int sentBytes) {
    RecordLayout layout = layouts[i];
    taken = layout != null && recordBytes == layout.recordLength() && sentBytes == recordBytes;
    if (!taken || layout == null) {
      return null;
    }
    Scatter scatter = Scatter.of(layout);
    scatter.place(0, NativeMemory.address(head));
    for (int f = 0; f < layout.fields().size(); f++) {
      scatter.place(Scatter.fieldPiece(f), targetAddress + positions.of(f, i));
    }
    return scatter;
  }

  @Override
  public Outcome end(int i) {
    RecordLayout layout = layouts[i];
    boolean sound =
        taken
            && layout != null
            && RecordLayout.isRecord(head, 0, layout.recordLength())
            && RecordLayout.schemaHash(head, 0) == layout.schemaHash()
            && RecordLayout.descriptorLength(head, 0) == layout.descriptorLength()
            && (checksum == null || verify(checksum, layout, i));
    return sound ? Outcome.LANDED : Outcome.DAMAGED;
  }

  private boolean verify(RecordChecksum by, RecordLayout layout, int i) {
    by.begin(head, 0);
    for (int f = 0; f < layout.fields().size(); f++) {
      by.field(target, Math.toIntExact(positions.of(f, i)), layout.fields().get(f).length());
    }
    return by.matches();
  }

  @Override
  public void close() {
    headBuffer.release();
  }
}
