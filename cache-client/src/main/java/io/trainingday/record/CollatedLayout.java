package io.trainingday.record;

import java.util.List;

/**
 * Where a collated batch keeps its samples: per field one contiguous {@code (B, ...)} array.
 *
 * <p>Field f starts at {@link #fieldOffset}, a multiple of 64, and sample i of it lies {@code i *
 * fieldBytes} further. All samples of the batch have the schema this was made from. Immutable,
 * thread-safe.
 */
public final class CollatedLayout {
  private final int batchSize;
  private final int[] fieldBytes;
  private final long[] fieldOffsets;
  private final long totalBytes;

  private CollatedLayout(int batchSize, int[] fieldBytes, long[] fieldOffsets, long totalBytes) {
    this.batchSize = batchSize;
    this.fieldBytes = fieldBytes;
    this.fieldOffsets = fieldOffsets;
    this.totalBytes = totalBytes;
  }

  /**
   * The layout of a batch.
   *
   * @param sample of any one sample; the others have the same {@link RecordLayout#schemaHash}
   * @param batchSize samples in the batch, from 1
   */
  public static CollatedLayout of(RecordLayout sample, int batchSize) {
    if (batchSize < 1) {
      throw new IllegalArgumentException("batchSize=%d, allowed: from 1".formatted(batchSize));
    }
    List<RecordLayout.Field> fields = sample.fields();
    int[] bytes = new int[fields.size()];
    long[] offsets = new long[fields.size()];
    long end = 0;
    for (int f = 0; f < bytes.length; f++) {
      bytes[f] = fields.get(f).length();
      offsets[f] = RecordLayout.align(end);
      // At most 256 fields of 2^31 bytes times 2^31 samples; their sum fits 2^62 because the
      // fields of one record share its 2^31 bytes.
      end = offsets[f] + (long) bytes[f] * batchSize;
    }
    return new CollatedLayout(batchSize, bytes, offsets, RecordLayout.align(end));
  }

  public int batchSize() {
    return batchSize;
  }

  public int fieldCount() {
    return fieldBytes.length;
  }

  /** Bytes of one sample's part of the field. */
  public int fieldBytes(int field) {
    return fieldBytes[field];
  }

  /** Where the field's array starts, in bytes from the batch's start; a multiple of 64. */
  public long fieldOffset(int field) {
    return fieldOffsets[field];
  }

  /** Where one sample's part of the field starts, in bytes from the batch's start. */
  public long position(int field, int sample) {
    return fieldOffsets[field] + (long) sample * fieldBytes[field];
  }

  /** Bytes of the whole batch, a multiple of 64. */
  public long totalBytes() {
    return totalBytes;
  }
}
