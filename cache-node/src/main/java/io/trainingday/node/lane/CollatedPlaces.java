package io.trainingday.node.lane;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.PooledByteBufAllocator;
import io.trainingday.node.store.NativeMemory;
import io.trainingday.node.store.RecordSink;
import io.trainingday.record.RecordChecksum;
import java.nio.ByteBuffer;
import org.jspecify.annotations.Nullable;

/** The samples of a collated batch whose layout is known, or guessed. */
final class CollatedPlaces implements Places {
  private final Collation collation;
  private final ByteBuffer target;
  private final long targetAddress;
  private final @Nullable RecordChecksum checksum;
  private final ByteBuf headBuffer;
  private final ByteBuffer head;
  private boolean taken;
  private byte @Nullable [] firstHead;

  /**
   * @param collation for this alone
   * @param verify whether records are held against their checksum
   */
  CollatedPlaces(Collation collation, Target target, boolean verify) {
    this.collation = collation;
    this.target = target.bytes().duplicate();
    this.targetAddress = target.address();
    this.checksum = verify ? new RecordChecksum() : null;
    this.headBuffer = PooledByteBufAllocator.DEFAULT.directBuffer(collation.layout().bodyStart());
    this.head = Target.view(headBuffer);
  }

  @Override
  public @Nullable RecordSink begin(int i, int recordBytes, int sentBytes) {
    taken = recordBytes == collation.layout().recordLength() && sentBytes == recordBytes;
    return taken ? collation.scatter(i, NativeMemory.address(head), targetAddress) : null;
  }

  @Override
  public Outcome end(int i) {
    if (!taken || !collation.fits(head)) {
      return Outcome.UNFIT;
    }
    if (checksum != null && !collation.verify(checksum, head, target, i)) {
      return Outcome.DAMAGED;
    }
    if (firstHead == null) {
      firstHead = new byte[head.capacity()];
      head.get(0, firstHead);
    }
    return Outcome.LANDED;
  }

  /** Header and descriptor of a record that landed, null when none did. */
  byte @Nullable [] head() {
    return firstHead;
  }

  @Override
  public void close() {
    headBuffer.release();
  }
}
