package io.trainingday.node.lane;

import io.trainingday.node.store.NativeMemory;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.MappedByteBuffer;
import java.nio.file.Path;
import java.util.BitSet;
import org.agrona.BufferUtil;

/**
 * One shared-memory segment of one connection. Used by the connection's thread alone, so nothing
 * can be written after {@link #close}, which takes the memory back at once: waiting for the garbage
 * collector would keep the tmpfs full long after a trainer was killed.
 */
final class Segment implements AutoCloseable {
  private final Path file;
  private final MappedByteBuffer memory;
  private final long slotBytes;
  private final int slots;
  private final Runnable onClose;
  private final BitSet inUse = new BitSet();
  private boolean closed;

  Segment(Path file, MappedByteBuffer memory, long slotBytes, int slots, Runnable onClose) {
    this.file = file;
    this.memory = memory;
    this.slotBytes = slotBytes;
    this.slots = slots;
    this.onClose = onClose;
    memory.order(ByteOrder.LITTLE_ENDIAN);
  }

  Path file() {
    return file;
  }

  long bytes() {
    return slotBytes * slots;
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

  @Override
  public void close() {
    if (!closed) {
      closed = true;
      unlink();
      BufferUtil.free(memory);
      onClose.run();
    }
  }
}
