package io.trainingday.lane;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/**
 * The 16-byte header in front of every message, as in {@code contract/lane.md}.
 *
 * @param bodyBytes length of the body that follows, ≥ 0
 * @param type what the body is, 0–65,535
 * @param requestId chosen by the client, repeated in the reply
 */
public record Frame(int bodyBytes, int type, long requestId) {
  public static final int HEADER_BYTES = 16;

  /** The largest body either side accepts before HELLO is answered. */
  public static final int MAX_GREETING_BYTES = 64 << 10;

  /**
   * Reads a header at the buffer's position and moves the position behind it.
   *
   * @param header at least {@link #HEADER_BYTES} remaining, any byte order
   * @param maxBodyBytes the largest body allowed now
   * @throws LaneException MALFORMED if the length is over the limit or the flags are not 0
   */
  public static Frame read(ByteBuffer header, int maxBodyBytes) {
    ByteOrder order = header.order();
    header.order(ByteOrder.LITTLE_ENDIAN);
    int length = header.getInt();
    int type = header.getShort() & 0xFFFF;
    int flags = header.getShort() & 0xFFFF;
    long requestId = header.getLong();
    header.order(order);
    if (length < 0 || length > maxBodyBytes) {
      throw new LaneException(
          LaneException.Code.MALFORMED,
          "frame length=%d > maxFrameBytes=%d, ask for fewer samples at a time or raise lane.maxFrameSize"
              .formatted(Integer.toUnsignedLong(length), maxBodyBytes));
    }
    if (flags != 0) {
      throw new LaneException(
          LaneException.Code.MALFORMED, "frame flags=%d, only 0 is defined".formatted(flags));
    }
    return new Frame(length, type, requestId);
  }

  /** Writes the header at the buffer's position and moves the position behind it. */
  public void write(ByteBuffer buffer) {
    ByteOrder order = buffer.order();
    buffer.order(ByteOrder.LITTLE_ENDIAN);
    buffer.putInt(bodyBytes).putShort((short) type).putShort((short) 0).putLong(requestId);
    buffer.order(order);
  }
}
