package io.trainingday.lane;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.CodingErrorAction;
import java.nio.charset.StandardCharsets;

/** Reads one message body; every length is checked against what is there before it is used. */
final class Body {
  private final ByteBuffer bytes;
  private final String message;

  Body(ByteBuffer bytes, String message) {
    this.bytes = bytes.slice().order(ByteOrder.LITTLE_ENDIAN);
    this.message = message;
  }

  int u8() {
    need(1);
    return bytes.get() & 0xFF;
  }

  int u16() {
    need(2);
    return bytes.getShort() & 0xFFFF;
  }

  /** A u32 that must fit an int, as all lengths and handles of the protocol do. */
  int u31(String field) {
    need(4);
    int value = bytes.getInt();
    if (value < 0) {
      throw malformed(field + "=" + Integer.toUnsignedLong(value) + " > " + Integer.MAX_VALUE);
    }
    return value;
  }

  /** A u32 whose bits are kept, for values with a marker such as 0xFFFFFFFF. */
  int u32() {
    need(4);
    return bytes.getInt();
  }

  long i64() {
    need(8);
    return bytes.getLong();
  }

  /** A u64 that must fit a long. */
  long u63(String field) {
    long value = i64();
    if (value < 0) {
      throw malformed(field + "=" + Long.toUnsignedString(value) + " > " + Long.MAX_VALUE);
    }
    return value;
  }

  int count(String field, int least, int most) {
    int value = u31(field);
    if (value < least || value > most) {
      throw malformed(field + "=" + value + ", allowed: " + least + "–" + most);
    }
    return value;
  }

  void zeros(int count) {
    need(count);
    for (int i = 0; i < count; i++) {
      if (bytes.get() != 0) {
        throw malformed("reserved byte at " + (bytes.position() - 1) + " is not 0");
      }
    }
  }

  String utf8(String field, int least, int most) {
    int length = u31(field + " length");
    if (length < least || length > most) {
      throw malformed(field + " has " + length + " bytes, allowed: " + least + "–" + most);
    }
    need(length);
    ByteBuffer text = bytes.slice(bytes.position(), length);
    bytes.position(bytes.position() + length);
    try {
      return StandardCharsets.UTF_8
          .newDecoder()
          .onMalformedInput(CodingErrorAction.REPORT)
          .onUnmappableCharacter(CodingErrorAction.REPORT)
          .decode(text)
          .toString();
    } catch (CharacterCodingException e) {
      throw malformed(field + " is not UTF-8");
    }
  }

  long[] i64s(int count) {
    need((long) count * 8);
    long[] values = new long[count];
    bytes.asLongBuffer().get(values);
    bytes.position(bytes.position() + count * 8);
    return values;
  }

  int[] u16s(int count) {
    need((long) count * 2);
    int[] values = new int[count];
    for (int i = 0; i < count; i++) {
      values[i] = u16();
    }
    return values;
  }

  byte[] bytes(int count) {
    need(count);
    byte[] copy = new byte[count];
    bytes.get(copy);
    return copy;
  }

  /** A view, not a copy, of the next {@code count} bytes. */
  ByteBuffer view(int count) {
    need(count);
    ByteBuffer view = bytes.slice(bytes.position(), count).order(ByteOrder.LITTLE_ENDIAN);
    bytes.position(bytes.position() + count);
    return view;
  }

  void align(int multiple) {
    zeros(Math.floorMod(-bytes.position(), multiple));
  }

  int remaining() {
    return bytes.remaining();
  }

  void end() {
    if (bytes.hasRemaining()) {
      throw malformed(bytes.remaining() + " bytes too many");
    }
  }

  LaneException malformed(String what) {
    return new LaneException(LaneException.Code.MALFORMED, message + ": " + what);
  }

  LaneException unknown() {
    return malformed("no such message in protocol version " + LaneMessage.VERSION);
  }

  private void need(long count) {
    if (bytes.remaining() < count) {
      throw malformed("ends at byte %d, %d more were announced".formatted(bytes.limit(), count));
    }
  }
}
