package io.trainingday.node.store;

import java.nio.ByteBuffer;
import org.agrona.BufferUtil;
import org.agrona.UnsafeApi;

/**
 * Copies from native addresses, for sinks that must not know Ignite.
 *
 * <p>Nothing here checks bounds: the caller owns the destination and has checked that it is large
 * enough.
 */
public final class NativeMemory {
  private NativeMemory() {}

  /**
   * The address of the first byte, index 0, of a direct buffer. Valid while the buffer is
   * reachable.
   *
   * @throws IllegalArgumentException when the buffer is not direct
   */
  public static long address(ByteBuffer direct) {
    return BufferUtil.address(direct);
  }

  /** Copies {@code length} bytes from one address to another; the ranges must not overlap. */
  public static void copy(long sourceAddress, long targetAddress, long length) {
    UnsafeApi.copyMemory(sourceAddress, targetAddress, length);
  }

  /** Copies {@code length} bytes of an array, from {@code offset}, to an address. */
  public static void copy(byte[] source, int offset, long targetAddress, int length) {
    UnsafeApi.copyMemory(
        source, BufferUtil.ARRAY_BASE_OFFSET + offset, null, targetAddress, length);
  }

  /** Copies {@code length} bytes from an address into an array, from {@code offset}. */
  public static void copy(long sourceAddress, byte[] target, int offset, int length) {
    UnsafeApi.copyMemory(
        null, sourceAddress, target, BufferUtil.ARRAY_BASE_OFFSET + offset, length);
  }
}
