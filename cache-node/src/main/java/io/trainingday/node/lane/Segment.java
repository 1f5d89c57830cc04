package io.trainingday.node.lane;

import io.trainingday.lane.LaneException;
import io.trainingday.node.store.NativeMemory;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.MappedByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.util.BitSet;
import org.agrona.BufferUtil;
import org.jspecify.annotations.Nullable;

/**
 * One shared-memory segment of one connection. A batch is written where the trainer has it mapped,
 * or, in a segment that is not mapped here, put together elsewhere and copied by {@link #deliver}:
 * then nothing that the trainer does to the file or the memory reaches this process. Used by the
 * connection's thread alone, so nothing is written any more after {@link #drop} or {@link
 * #abandon}, which unmap it here at once: waiting for the garbage collector would keep the tmpfs
 * full long after a trainer was killed.
 */
final class Segment {
  private final Segments owner;
  private final Path file;
  private final FileChannel channel;
  private final @Nullable MappedByteBuffer memory;
  private final long slotBytes;
  private final int slots;
  private final BitSet inUse = new BitSet();
  private boolean closed;

  Segment(
      Segments owner,
      Path file,
      FileChannel channel,
      @Nullable MappedByteBuffer memory,
      long slotBytes,
      int slots) {
    this.owner = owner;
    this.file = file;
    this.channel = channel;
    this.memory = memory;
    this.slotBytes = slotBytes;
    this.slots = slots;
  }

  Path file() {
    return file;
  }

  /** What it takes of the budget. */
  long bytes() {
    return Segments.charged(slotBytes * slots);
  }

  /** The client has its own mapping: the name is needed no longer. */
  void unlink() {
    Segments.delete(file);
  }

  /** Marks a slot as written to; false when it is no slot or another READ is using it. */
  boolean take(int slot) {
    if (slot < 0 || slot >= slots || inUse.get(slot)) {
      return false;
    }
    inUse.set(slot);
    return true;
  }

  void give(int slot) {
    inUse.clear(slot);
  }

  boolean isInUse() {
    return !inUse.isEmpty();
  }

  /** Where a batch for the slot is put together; to be released when that is over. */
  Target target(int slot) {
    if (memory == null) {
      return owner.staging().take((int) slotBytes);
    }
    int start = Math.toIntExact(slot * slotBytes);
    ByteBuffer bytes = memory.slice(start, (int) slotBytes).order(ByteOrder.LITTLE_ENDIAN);
    return new Target.Slot(bytes, NativeMemory.address(bytes));
  }

  /**
   * Puts the first bytes of a target into the slot, unless they are there.
   *
   * @throws LaneException FAILED when they cannot be written: the trainer has changed the file, and
   *     the tmpfs is full
   */
  void deliver(int slot, Target target, long payloadBytes) {
    if (memory != null) {
      return;
    }
    ByteBuffer payload = target.bytes().slice(0, Math.toIntExact(payloadBytes));
    long start = slot * slotBytes;
    try {
      while (payload.hasRemaining()) {
        channel.write(payload, start + payload.position());
      }
    } catch (IOException e) {
      throw new LaneException(
          LaneException.Code.FAILED,
          "the batch cannot be written to shared memory (%s)".formatted(e.getMessage()));
    }
  }

  /** The client has given it back: its pages are free on return, whoever has them mapped. */
  void drop() {
    if (end()) {
      owner.free(channel, bytes());
    }
  }

  /** The client's connection is gone; the client may be there still, and look at batches. */
  void abandon() {
    if (end()) {
      owner.abandon(channel, bytes());
    }
  }

  private boolean end() {
    if (closed) {
      return false;
    }
    closed = true;
    unlink();
    if (memory != null) {
      BufferUtil.free(memory);
    }
    return true;
  }
}
