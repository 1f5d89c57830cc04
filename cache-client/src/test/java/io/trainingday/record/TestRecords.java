package io.trainingday.record;

import static java.nio.ByteOrder.LITTLE_ENDIAN;

import java.nio.ByteBuffer;

/** Records that several tests use. */
final class TestRecords {
  private TestRecords() {}

  /** Four fields with gaps between them, two attributes. */
  static SampleRecord image() {
    byte[] pixels = new byte[3 * 4 * 5];
    for (int i = 0; i < pixels.length; i++) {
      pixels[i] = (byte) (i * 7 + 1);
    }
    ByteBuffer label = ByteBuffer.allocate(8).order(LITTLE_ENDIAN).putLong(0, 3);
    ByteBuffer weights = ByteBuffer.allocate(8).order(LITTLE_ENDIAN);
    weights.putFloat(0, 0.5f).putFloat(4, -2f);
    return SampleRecord.builder()
        .tensor("image", DType.U8, new long[] {3, 4, 5}, ByteBuffer.wrap(pixels))
        .tensor("label", DType.I64, new long[0], label)
        .utf8("name", "cat")
        .tensor("weights", DType.F32, new long[] {2, 1}, weights)
        .attribute("width", 5)
        .attribute("flipped", false)
        .sourceStamp(0x0123456789ABCDEFL)
        .createdMillis(1_700_000_000_000L)
        .build();
  }
}
