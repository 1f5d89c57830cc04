package io.trainingday.node.lane;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;
import java.util.ArrayDeque;

/**
 * Memory in which batches of one tenant are put together before they are copied to it. A buffer is
 * kept for each thread that may be at it, for one fresh from the system costs as much as the copy.
 * All begin as zeros and are one tenant's for good: gaps in a batch tell of nobody else's.
 * Thread-safe.
 */
final class Staging implements AutoCloseable {
  private static final int MAX_SPARE = 4;

  // Guarded by this.
  private final ArrayDeque<ByteBuf> spare = new ArrayDeque<>();
  private boolean closed;

  /** Room for a batch of at most that many bytes. */
  Target take(int maxBytes) {
    ByteBuf buffer;
    synchronized (this) {
      buffer = spare.pollLast();
    }
    return new Target.Staged(
        this,
        new Target.Growing(
            buffer == null ? ByteBufAllocator.DEFAULT.directBuffer(0) : buffer, maxBytes, true));
  }

  void give(ByteBuf buffer) {
    synchronized (this) {
      if (!closed && spare.size() < MAX_SPARE) {
        spare.addLast(buffer);
        return;
      }
    }
    buffer.release();
  }

  @Override
  public synchronized void close() {
    closed = true;
    spare.forEach(ByteBuf::release);
    spare.clear();
  }
}
