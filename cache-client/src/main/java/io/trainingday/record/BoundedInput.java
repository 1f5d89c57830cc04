package io.trainingday.record;

import com.esotericsoftware.kryo.KryoException;
import com.esotericsoftware.kryo.io.ByteBufferInput;
import com.esotericsoftware.kryo.io.KryoBufferUnderflowException;
import java.nio.ByteBuffer;

/**
 * A Kryo input over bytes nobody vouches for: it never allocates more than they can fill.
 *
 * <p>Kryo trusts the lengths it reads: an array of 2^31 elements is made before its first element
 * is missed. Here the lengths of all arrays, collections and maps together may not exceed the bytes
 * there are (each element takes at least one), with {@link #FREE_ELEMENTS} on top because a run of
 * nulls takes none.
 */
final class BoundedInput extends ByteBufferInput {
  private static final int FREE_ELEMENTS = 4096;

  private long elementsLeft;
  private boolean lengthNext;

  BoundedInput(ByteBuffer bytes) {
    super(bytes.slice().asReadOnlyBuffer());
    elementsLeft = (long) bytes.remaining() + FREE_ELEMENTS;
  }

  /** Says that the next variable-length number is how many elements a container has. */
  void expectLength() {
    lengthNext = true;
  }

  // Kryo would compact the buffer here to read on, which moves the caller's bytes.
  @Override
  protected int require(int required) {
    int remaining = limit - position;
    if (required > remaining) {
      throw new KryoBufferUnderflowException(
          "%d bytes needed, %d left".formatted(required, remaining));
    }
    return remaining;
  }

  @Override
  protected int optional(int optional) {
    int remaining = limit - position;
    return remaining == 0 ? -1 : Math.min(remaining, optional);
  }

  @Override
  public int readVarInt(boolean optimizePositive) {
    return checkLength(super.readVarInt(optimizePositive));
  }

  @Override
  public int readVarIntFlag(boolean optimizePositive) {
    return checkLength(super.readVarIntFlag(optimizePositive));
  }

  private int checkLength(int lengthPlusOne) {
    if (lengthNext) {
      lengthNext = false;
      int length = Math.max(0, lengthPlusOne - 1); // 0 stands for null
      if (lengthPlusOne < 0 || length > elementsLeft) {
        throw new KryoException(
            "%d elements in %d bytes"
                .formatted(Integer.toUnsignedLong(lengthPlusOne) - 1, limit - position));
      }
      elementsLeft -= length;
    }
    return lengthPlusOne;
  }

  @Override
  public String readString() {
    checkText();
    return super.readString();
  }

  @Override
  public StringBuilder readStringBuilder() {
    checkText();
    return super.readStringBuilder();
  }

  /** A text's characters take a byte each; Kryo makes the array first. */
  private void checkText() {
    if (!readVarIntFlag()) {
      return; // ASCII, which ends itself
    }
    int start = position;
    int chars = super.readVarIntFlag(true) - 1;
    if (chars < -1 || chars > limit - position) {
      throw new KryoException("%d characters in %d bytes".formatted(chars, limit - position));
    }
    setPosition(start);
  }

  @Override
  public byte[] readBytes(int length) {
    return super.readBytes(checkArray(length, 1));
  }

  @Override
  public int[] readInts(int length) {
    return super.readInts(checkArray(length, Integer.BYTES));
  }

  @Override
  public int[] readInts(int length, boolean optimizePositive) {
    return super.readInts(checkArray(length, 1), optimizePositive);
  }

  @Override
  public long[] readLongs(int length) {
    return super.readLongs(checkArray(length, Long.BYTES));
  }

  @Override
  public long[] readLongs(int length, boolean optimizePositive) {
    return super.readLongs(checkArray(length, 1), optimizePositive);
  }

  @Override
  public float[] readFloats(int length) {
    return super.readFloats(checkArray(length, Float.BYTES));
  }

  @Override
  public double[] readDoubles(int length) {
    return super.readDoubles(checkArray(length, Double.BYTES));
  }

  @Override
  public short[] readShorts(int length) {
    return super.readShorts(checkArray(length, Short.BYTES));
  }

  @Override
  public char[] readChars(int length) {
    return super.readChars(checkArray(length, Character.BYTES));
  }

  @Override
  public boolean[] readBooleans(int length) {
    return super.readBooleans(checkArray(length, 1));
  }

  private int checkArray(int length, int minElementBytes) {
    if (length < 0 || length > (limit - position) / minElementBytes) {
      throw new KryoBufferUnderflowException(
          "array of %d elements in %d bytes".formatted(length, limit - position));
    }
    return length;
  }
}
