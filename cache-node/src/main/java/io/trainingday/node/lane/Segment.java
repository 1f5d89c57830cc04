package io.trainingday.node.lane;

import io.trainingday.node.store.NativeMemory;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.MappedByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.util.BitSet;
import org.agrona.BufferUtil;

/**
 * One shared-memory segment of one connection. Used by the connection's thread alone, so nothing is
 * written any more after {@link #drop} or {@link #abandon}, which unmap it here at once: waiting
 * for the garbage collector would keep the tmpfs full long after a trainer was killed.
 */
final class Segment {
  private final Segments owner;
  private final Path file;
  private final FileChannel channel;
  private final MappedByteBuffer memory;
  private final long slotBytes;
  private final int slots;
  private final BitSet inUse = new BitSet();
  private boolean closed;

  Segment(
      Segments owner,
      Path file,
      FileChannel channel,
      MappedByteBuffer memory,
      long slotBytes,
      int slots) {
    this.owner = owner;
    this.file = file;
    this.channel = channel;
    this.memory = memory;
    this.slotBytes = slotBytes;
    this.slots = slots;
    memory.order(ByteOrder.LITTLE_ENDIAN);
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

  Target target(int slot) {
    int start = Math.toIntExact(slot * slotBytes);
    ByteBuffer bytes = memory.slice(start, (int) slotBytes).order(ByteOrder.LITTLE_ENDIAN);
    return new Target.Slot(bytes, NativeMemory.address(bytes));
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
    BufferUtil.free(memory);
    return true;
  }
}
