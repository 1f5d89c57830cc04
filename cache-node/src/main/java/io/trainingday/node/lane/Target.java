package io.trainingday.node.lane;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;
import io.trainingday.node.store.NativeMemory;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/** Where the payload of one batch goes: native memory at {@link #address}. Single-threaded. */
sealed interface Target {
  /** All of a direct buffer, as little-endian memory. */
  static ByteBuffer view(ByteBuf buffer) {
    return buffer.internalNioBuffer(0, buffer.capacity()).slice().order(ByteOrder.LITTLE_ENDIAN);
  }

  /** The memory as a little-endian buffer whose index 0 is at {@link #address}. */
  ByteBuffer bytes();

  long address();

  /** Whether the payload may have this many bytes; makes room for them where it can. */
  boolean ensure(long payloadBytes);

  /** The batch is over, and its bytes are where they belong or wanted no more. */
  void release();

  /** A slot: as large as it is. */
  record Slot(ByteBuffer bytes, long address) implements Target {
    @Override
    public boolean ensure(long payloadBytes) {
      return payloadBytes <= bytes.capacity();
    }

    @Override
    public void release() {}
  }

  /** Memory of this process. */
  abstract sealed class Held implements Target permits Staged, Inline {
    final Growing memory;

    private Held(Growing memory) {
      this.memory = memory;
    }

    @Override
    public ByteBuffer bytes() {
      return memory.view;
    }

    @Override
    public long address() {
      return NativeMemory.address(memory.view);
    }

    @Override
    public boolean ensure(long payloadBytes) {
      return memory.ensure(payloadBytes);
    }
  }

  /** Memory that is copied to a slot. */
  final class Staged extends Held {
    private final Staging staging;

    Staged(Staging staging, Growing memory) {
      super(memory);
      this.staging = staging;
    }

    @Override
    public void release() {
      staging.give(memory.buffer);
    }
  }

  /** A buffer that is sent behind the reply: grows up to the largest frame. */
  final class Inline extends Held {
    /**
     * @param blank whether gaps in the payload must not show what was in the memory before, which
     *     may have been another tenant's
     */
    Inline(ByteBufAllocator allocator, int maxBytes, boolean blank) {
      super(new Growing(allocator.directBuffer(0), maxBytes, blank));
    }

    /** Hands over the first {@code payloadBytes}; the receiver releases the buffer. */
    ByteBuf take(int payloadBytes) {
      return memory.buffer.setIndex(0, payloadBytes);
    }

    @Override
    public void release() {
      memory.buffer.release();
    }
  }

  /** A direct buffer that is replaced by a larger one when it must be. */
  final class Growing {
    private final int maxBytes;
    private final boolean blank;
    private ByteBuf buffer;
    private ByteBuffer view;

    Growing(ByteBuf buffer, int maxBytes, boolean blank) {
      this.buffer = buffer;
      this.maxBytes = maxBytes;
      this.blank = blank;
      this.view = view(buffer);
    }

    /** No more of it than the payload may take: a spare buffer may be larger. */
    private ByteBuffer view(ByteBuf of) {
      return Target.view(of)
          .slice(0, Math.min(of.capacity(), maxBytes))
          .order(ByteOrder.LITTLE_ENDIAN);
    }

    private boolean ensure(long payloadBytes) {
      if (payloadBytes > maxBytes) {
        return false;
      }
      int old = buffer.capacity();
      if (payloadBytes > view.capacity()) {
        int capacity = (int) Math.min(maxBytes, Math.max(payloadBytes, 2L * old));
        ByteBuf larger = buffer.alloc().directBuffer(capacity, capacity);
        larger.setBytes(0, buffer, 0, old);
        if (blank) {
          larger.setZero(old, capacity - old);
        }
        buffer.release();
        buffer = larger;
        view = view(larger);
      }
      return true;
    }
  }
}
