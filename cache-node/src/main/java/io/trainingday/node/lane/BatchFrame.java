package io.trainingday.node.lane;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.PooledByteBufAllocator;
import io.trainingday.lane.Frame;
import io.trainingday.lane.PeerMessage;
import io.trainingday.lane.PeerMessage.BatchHead;
import io.trainingday.lane.PeerMessage.Entry;
import io.trainingday.lane.PeerMessage.PeerStatus;
import io.trainingday.node.store.NativeMemory;
import java.nio.ByteBuffer;

/**
 * One frame of an answer to PEER_READ while it is made, in pooled memory outside of the heap.
 * Records are copied to where they will be sent from: first their bytes, to {@link #address}, then,
 * when they are complete, their entry before them.
 */
final class BatchFrame {
  private static final int START = Frame.HEADER_BYTES + BatchHead.BYTES;

  private final ByteBuf buffer;
  private final ByteBuffer bytes;
  private int end = START;
  private int hits;

  /**
   * @param recordBytes room for one record of so many bytes at least
   */
  BatchFrame(int recordBytes) {
    buffer = PooledByteBufAllocator.DEFAULT.directBuffer(START + Entry.BYTES + recordBytes);
    bytes = Target.view(buffer);
  }

  /** Whether it has no entry yet. */
  boolean isEmpty() {
    return end == START;
  }

  /** Bytes of a record for which there is room; negative when there is none for an entry. */
  int room() {
    return bytes.capacity() - end - Entry.BYTES;
  }

  /** Where the next record's bytes go. */
  long address() {
    return NativeMemory.address(bytes) + end + Entry.BYTES;
  }

  /** All of the frame, for looking at the next record, which begins at {@link #recordAt}. */
  ByteBuffer bytes() {
    return bytes;
  }

  int recordAt() {
    return end + Entry.BYTES;
  }

  /** The next record's bytes are where they belong. */
  void hit(int position, int recordBytes, int sentBytes) {
    Entry.hit(position, recordBytes, sentBytes).write(bytes.position(end));
    end += Entry.BYTES + sentBytes;
    hits++;
  }

  /** Entries with a record. */
  int hits() {
    return hits;
  }

  /** An entry without bytes. */
  void missing(int position, PeerStatus status, long lease) {
    Entry.missing(position, status, lease).write(bytes.position(end));
    end += Entry.BYTES;
  }

  /** The frame, to be sent; nothing is added any more. */
  ByteBuf finish(long requestId, boolean last) {
    new Frame(end - Frame.HEADER_BYTES, PeerMessage.BATCH_TYPE, requestId).write(bytes.position(0));
    new BatchHead(last).write(bytes);
    return buffer.setIndex(0, end);
  }

  void release() {
    buffer.release();
  }
}
