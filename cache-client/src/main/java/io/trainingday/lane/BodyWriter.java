package io.trainingday.lane;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;

/** Builds one whole frame, header included, in a heap buffer that grows as needed. */
final class BodyWriter {
  private ByteBuffer buffer;

  BodyWriter(int expectedBytes) {
    buffer = ByteBuffer.allocate(Frame.HEADER_BYTES + expectedBytes).order(ByteOrder.LITTLE_ENDIAN);
    buffer.position(Frame.HEADER_BYTES);
  }

  BodyWriter u8(int value) {
    room(1).put((byte) value);
    return this;
  }

  BodyWriter u16(int value) {
    room(2).putShort((short) value);
    return this;
  }

  BodyWriter u32(int value) {
    room(4).putInt(value);
    return this;
  }

  BodyWriter i64(long value) {
    room(8).putLong(value);
    return this;
  }

  BodyWriter utf8(String text) {
    byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
    return u32(bytes.length).bytes(bytes);
  }

  BodyWriter bytes(byte[] bytes) {
    room(bytes.length).put(bytes);
    return this;
  }

  BodyWriter u16s(int[] values) {
    for (int value : values) {
      u16(value);
    }
    return this;
  }

  BodyWriter i64s(long[] values) {
    room(values.length * 8).asLongBuffer().put(values);
    buffer.position(buffer.position() + values.length * 8);
    return this;
  }

  /** Zeros up to a multiple, counted from the start of the body. */
  BodyWriter align(int multiple) {
    int padding = Math.floorMod(-(buffer.position() - Frame.HEADER_BYTES), multiple);
    room(padding);
    for (int i = 0; i < padding; i++) {
      buffer.put((byte) 0);
    }
    return this;
  }

  /**
   * The frame, ready to be sent.
   *
   * @param followingBytes bytes of the body that the caller sends behind this buffer
   */
  ByteBuffer frame(int type, long requestId, int followingBytes) {
    int bodyBytes = buffer.position() - Frame.HEADER_BYTES + followingBytes;
    buffer.flip();
    new Frame(bodyBytes, type, requestId).write(buffer);
    return buffer.rewind();
  }

  private ByteBuffer room(int bytes) {
    if (buffer.remaining() < bytes) {
      int capacity = Math.max(buffer.capacity() * 2, buffer.position() + bytes);
      buffer = ByteBuffer.allocate(capacity).order(ByteOrder.LITTLE_ENDIAN).put(buffer.flip());
    }
    return buffer;
  }
}
