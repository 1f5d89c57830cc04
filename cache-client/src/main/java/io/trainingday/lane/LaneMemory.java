package io.trainingday.lane;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayDeque;
import java.util.HashMap;
import java.util.Map;

/**
 * Direct memory that is used again: the first touch of fresh memory costs several times what a copy
 * into it does. What is given back is kept up to a limit, the rest is left to the garbage
 * collector. Thread-safe.
 */
public final class LaneMemory {
  private static final int MIN_BLOCK_BYTES = 4 << 10;
  private static final int MAX_BLOCK_BYTES = Integer.MAX_VALUE - LaneMessage.PAYLOAD_ALIGNMENT;

  private final long maxIdleBytes;
  private final Map<Integer, ArrayDeque<ByteBuffer>> idle = new HashMap<>();
  private long idleBytes;

  /**
   * An empty pool.
   *
   * @param maxIdleBytes how much is kept for later at most, ≥ 0; memory in use does not count
   */
  public LaneMemory(long maxIdleBytes) {
    this.maxIdleBytes = maxIdleBytes;
  }

  /** Memory in use; the buffer is nobody else's until it is closed. */
  public static final class Block implements AutoCloseable {
    private final LaneMemory owner;
    private final ByteBuffer buffer;
    private ByteBuffer view;
    private boolean closed;

    private Block(LaneMemory owner, ByteBuffer buffer, int bytes) {
      this.owner = owner;
      this.buffer = buffer;
      this.view = slice(buffer, 0, bytes);
    }

    /** Little-endian, starts at a multiple of 64; the same object each time. */
    public ByteBuffer buffer() {
      return view;
    }

    /** Makes {@link #buffer} a part of what it was. */
    Block narrow(int offset, int bytes) {
      view = slice(view, offset, bytes);
      return this;
    }

    /** Gives the memory back; views of it show other data from now on. Once is enough. */
    @Override
    public void close() {
      synchronized (this) {
        if (closed) {
          return;
        }
        closed = true;
      }
      owner.giveBack(buffer);
    }

    private static ByteBuffer slice(ByteBuffer buffer, int offset, int bytes) {
      return buffer.slice(offset, bytes).order(ByteOrder.LITTLE_ENDIAN);
    }
  }

  /**
   * Takes memory with undefined content.
   *
   * @param bytes ≥ 0
   * @throws IllegalArgumentException if it is more than one buffer can hold
   */
  public Block take(long bytes) {
    if (bytes > MAX_BLOCK_BYTES) {
      throw new IllegalArgumentException(
          "%d bytes in one piece, allowed: %d; use smaller batches"
              .formatted(bytes, MAX_BLOCK_BYTES));
    }
    int size = sizeClass((int) bytes);
    synchronized (this) {
      ArrayDeque<ByteBuffer> blocks = idle.get(size);
      ByteBuffer known = blocks == null ? null : blocks.pollLast();
      if (known != null) {
        idleBytes -= size;
        return new Block(this, known, (int) bytes);
      }
    }
    return new Block(this, allocate(size), (int) bytes);
  }

  private ByteBuffer allocate(int size) {
    int withPadding = size + LaneMessage.PAYLOAD_ALIGNMENT;
    ByteBuffer fresh;
    try {
      fresh = ByteBuffer.allocateDirect(withPadding);
    } catch (OutOfMemoryError e) {
      synchronized (this) {
        if (idleBytes == 0) {
          throw e;
        }
        idle.clear(); // Sizes nobody asks for any more may hold what is missing.
        idleBytes = 0;
      }
      fresh = ByteBuffer.allocateDirect(withPadding);
    }
    return fresh.alignedSlice(LaneMessage.PAYLOAD_ALIGNMENT).slice(0, size);
  }

  private synchronized void giveBack(ByteBuffer buffer) {
    int size = buffer.capacity();
    if (idleBytes + size <= maxIdleBytes) {
      idle.computeIfAbsent(size, key -> new ArrayDeque<>()).addLast(buffer);
      idleBytes += size;
    }
  }

  /** Eight sizes between two powers of two: at most an eighth is wasted. */
  private static int sizeClass(int bytes) {
    if (bytes <= MIN_BLOCK_BYTES) {
      return MIN_BLOCK_BYTES;
    }
    int step = Integer.highestOneBit(bytes - 1) >>> 3;
    long rounded = ((long) bytes + step - 1) / step * step;
    return (int) Math.min(rounded, MAX_BLOCK_BYTES);
  }
}
