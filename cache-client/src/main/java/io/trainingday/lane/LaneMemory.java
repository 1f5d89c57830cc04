package io.trainingday.lane;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayDeque;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.BooleanSupplier;
import org.jspecify.annotations.Nullable;

/**
 * Direct memory that is used again: the first touch of fresh memory costs several times what a copy
 * into it does. What is given back is kept up to a limit, the rest is left to the garbage
 * collector. Thread-safe.
 *
 * <p>It is bounded by those who are about to need some: they {@link #reserve} it, and wait there
 * while too much is in use. {@link #take} itself never waits, for whoever is in the middle of
 * something holds what others wait for. Over the bound it gives up what is kept for later, and then
 * takes more than the bound. So there is always somebody who goes on, and batches that are held on
 * to slow others down, but block nobody for good.
 */
public final class LaneMemory {
  private static final int MIN_BLOCK_BYTES = 4 << 10;
  private static final int MAX_BLOCK_BYTES = Integer.MAX_VALUE - LaneMessage.PAYLOAD_ALIGNMENT;

  /** A reader whose turn it is not looks this often whether it was cancelled. */
  private static final long LOOK_AGAIN_MILLIS = 50;

  private final long maxBytes;
  private final long maxIdleBytes;
  // Guarded by this.
  private final TreeMap<Integer, ArrayDeque<ByteBuffer>> idle = new TreeMap<>();
  private final ArrayDeque<Reservation> waiting = new ArrayDeque<>();
  private long idleBytes;
  private long usedBytes;
  private long reservedBytes;
  private int reservations;

  /**
   * An empty pool without a bound on what is in use.
   *
   * @param maxIdleBytes how much is kept for later at most, ≥ 0; memory in use does not count
   */
  public LaneMemory(long maxIdleBytes) {
    this(Long.MAX_VALUE, maxIdleBytes);
  }

  /**
   * An empty pool.
   *
   * @param maxBytes how much there may be, in use, reserved and kept for later, ≥ 0
   * @param maxIdleBytes how much of it is kept for later at most, ≥ 0
   */
  public LaneMemory(long maxBytes, long maxIdleBytes) {
    this.maxBytes = maxBytes;
    this.maxIdleBytes = maxIdleBytes;
  }

  /** The right to take memory soon. */
  public final class Reservation implements AutoCloseable {
    private final long bytes;
    private boolean open;

    private Reservation(long bytes) {
      this.bytes = bytes;
    }

    /** What was needed has been taken, and counts by itself. Once is enough. */
    @Override
    public void close() {
      synchronized (LaneMemory.this) {
        if (open) {
          open = false;
          reservedBytes -= bytes;
          reservations--;
          LaneMemory.this.notifyAll();
        }
      }
    }
  }

  /**
   * Waits until so much can be taken within the bound, in the order of asking. Nobody waits who is
   * the only one: while no other reservation is open, nothing would come back by itself. Who holds
   * one must not ask for another, nor wait for somebody who may. Interrupts are kept for later.
   *
   * @param bytes ≥ 0, about what will be taken
   * @param longestNanos after which it is given all the same
   * @param cancelled asked from time to time; true: the wait ends, and it is given
   */
  public Reservation reserve(long bytes, long longestNanos, BooleanSupplier cancelled) {
    Reservation mine = new Reservation(bytes);
    boolean interrupted = false;
    synchronized (this) {
      waiting.addLast(mine);
      long deadline = System.nanoTime() + longestNanos;
      try {
        while (!mayGoOn(mine) && deadline - System.nanoTime() > 0 && !cancelled.getAsBoolean()) {
          try {
            wait(LOOK_AGAIN_MILLIS);
          } catch (InterruptedException e) {
            interrupted = true;
          }
        }
      } finally {
        waiting.remove(mine);
      }
      mine.open = true;
      reservedBytes += bytes;
      reservations++;
      notifyAll();
    }
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
    return mine;
  }

  private boolean mayGoOn(Reservation one) {
    return waiting.peekFirst() == one
        && (reservations == 0 || one.bytes <= maxBytes - usedBytes - reservedBytes);
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
   * @throws OutOfMemoryError if the JVM has no more, which the message explains
   */
  public Block take(long bytes) {
    if (bytes > MAX_BLOCK_BYTES) {
      throw new IllegalArgumentException(
          "%d bytes in one piece, allowed: %d; use smaller batches"
              .formatted(bytes, MAX_BLOCK_BYTES));
    }
    int size = sizeClass((int) bytes);
    ByteBuffer known;
    synchronized (this) {
      known = takeIdle(size);
      if (known == null) {
        dropIdle(size);
        usedBytes += size;
      }
    }
    return new Block(this, known == null ? allocate(size) : known, (int) bytes);
  }

  /**
   * As {@link #take}, but never over the bound.
   *
   * @return null if there is no room, or the JVM has none
   */
  public @Nullable Block tryTake(long bytes) {
    synchronized (this) {
      if (bytes > maxBytes - usedBytes - reservedBytes) {
        return null;
      }
    }
    try {
      return take(bytes);
    } catch (OutOfMemoryError e) {
      return null;
    }
  }

  /** Something that was kept and is as large, or a little larger. */
  private @Nullable ByteBuffer takeIdle(int size) {
    Map.Entry<Integer, ArrayDeque<ByteBuffer>> found = idle.ceilingEntry(size);
    if (found == null || found.getKey() - size > size / 4) {
      return null;
    }
    ByteBuffer known = found.getValue().removeLast();
    if (found.getValue().isEmpty()) {
      idle.remove(found.getKey());
    }
    idleBytes -= found.getKey();
    usedBytes += found.getKey();
    return known;
  }

  /** Makes room within the bound. What is dropped is the garbage collector's. */
  private void dropIdle(int size) {
    while (idleBytes > 0 && idleBytes + size > maxBytes - usedBytes) {
      Map.Entry<Integer, ArrayDeque<ByteBuffer>> largest = idle.lastEntry();
      idleBytes -= (long) largest.getKey() * largest.getValue().size();
      idle.remove(largest.getKey());
    }
  }

  private ByteBuffer allocate(int size) {
    int withPadding = size + LaneMessage.PAYLOAD_ALIGNMENT;
    ByteBuffer fresh;
    try {
      fresh = ByteBuffer.allocateDirect(withPadding);
    } catch (OutOfMemoryError full) {
      forgetIdle();
      try {
        fresh = ByteBuffer.allocateDirect(withPadding);
      } catch (OutOfMemoryError e) {
        throw outOfMemory(size, e);
      }
    }
    return fresh.alignedSlice(LaneMessage.PAYLOAD_ALIGNMENT).slice(0, size);
  }

  /** Sizes nobody asks for any more may hold what is missing. */
  private synchronized void forgetIdle() {
    idle.clear();
    idleBytes = 0;
  }

  private synchronized OutOfMemoryError outOfMemory(int size, OutOfMemoryError cause) {
    usedBytes -= size;
    OutOfMemoryError explained =
        new OutOfMemoryError(
            "%d bytes of direct memory beside %d in open batches and loads > what the JVM has; close batches earlier, or raise -XX:MaxDirectMemorySize"
                .formatted(size, usedBytes));
    explained.initCause(cause);
    return explained;
  }

  private synchronized void giveBack(ByteBuffer buffer) {
    int size = buffer.capacity();
    usedBytes -= size;
    if (idleBytes + size <= Math.min(maxIdleBytes, maxBytes - usedBytes)) {
      idle.computeIfAbsent(size, key -> new ArrayDeque<>()).addLast(buffer);
      idleBytes += size;
    }
    if (!waiting.isEmpty()) {
      notifyAll();
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
