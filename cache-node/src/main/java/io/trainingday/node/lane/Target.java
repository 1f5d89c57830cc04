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

  /** A slot: as large as it is. */
  record Slot(ByteBuffer bytes, long address) implements Target {
    @Override
    public boolean ensure(long payloadBytes) {
      return payloadBytes <= bytes.capacity();
    }
  }

  /** A buffer that is sent behind the reply: grows up to the largest frame. */
  final class Inline implements Target {
    private final ByteBufAllocator allocator;
    private final int maxBytes;
    private ByteBuf buffer;
    private ByteBuffer view;

    Inline(ByteBufAllocator allocator, int maxBytes) {
      this.allocator = allocator;
      this.maxBytes = maxBytes;
      this.buffer = allocator.directBuffer(0);
      this.view = Target.view(buffer);
    }

    @Override
    public ByteBuffer bytes() {
      return view;
    }

    @Override
    public long address() {
      return NativeMemory.address(view);
    }

    @Override
    public boolean ensure(long payloadBytes) {
      if (payloadBytes > maxBytes) {
        return false;
      }
      if (payloadBytes > buffer.capacity()) {
        int capacity = (int) Math.min(maxBytes, Math.max(payloadBytes, 2L * buffer.capacity()));
        ByteBuf larger = allocator.directBuffer(capacity, capacity);
        larger.setBytes(0, buffer, 0, buffer.capacity());
        buffer.release();
        buffer = larger;
        view = Target.view(larger);
      }
      return true;
    }

    /** Hands over the first {@code payloadBytes}; the receiver releases the buffer. */
    ByteBuf take(int payloadBytes) {
      return buffer.setIndex(0, payloadBytes);
    }

    void release() {
      buffer.release();
    }
  }
}
