package io.trainingday.record;

import static java.nio.ByteOrder.LITTLE_ENDIAN;
import static java.nio.charset.StandardCharsets.UTF_8;

import java.nio.ByteBuffer;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** What may stand in a field list, and the two hashes over it. */
final class Schema {
  private Schema() {}

  /** Why a field of {@code length} bytes cannot have this dtype and shape, or null when it can. */
  static @Nullable String shapeProblem(DType dtype, long[] shape, long length) {
    if (shape.length > RecordLayout.MAX_RANK) {
      return "rank=%d, allowed: 0 to %d".formatted(shape.length, RecordLayout.MAX_RANK);
    }
    if (!dtype.isTensor() && shape.length != 1) {
      return "rank=%d, allowed: 1 for %s".formatted(shape.length, dtype.wireName());
    }
    boolean empty = false;
    for (long dim : shape) {
      if (dim < 0) {
        return "shape=%s, allowed: no negative dimension".formatted(Arrays.toString(shape));
      }
      empty |= dim == 0;
    }
    // Zero first: [2^62, 2^62, 0] has no elements and must not count as an overflow.
    long needed = empty ? 0 : dtype.elementBytes();
    for (int i = 0; i < shape.length && !empty; i++) {
      if (shape[i] > Integer.MAX_VALUE / needed) {
        return "shape=%s of %s is over 2 GiB".formatted(Arrays.toString(shape), dtype.wireName());
      }
      needed *= shape[i];
    }
    return needed == length
        ? null
        : "length=%d bytes, but shape=%s of %s needs %d"
            .formatted(length, Arrays.toString(shape), dtype.wireName(), needed);
  }

  static String describe(String name, DType dtype, long[] shape) {
    return name + " " + dtype.wireName() + Arrays.toString(shape).replace(" ", "");
  }

  /** First 8 bytes of SHA-256 over names, dtypes and shapes, as the little-endian number. */
  static long hash(List<RecordLayout.Field> fields) {
    return hash(fields, true);
  }

  /** The same over names, dtypes and ranks. */
  static long familyHash(List<RecordLayout.Field> fields) {
    return hash(fields, false);
  }

  private static long hash(List<RecordLayout.Field> fields, boolean withDimensions) {
    MessageDigest sha = sha256();
    ByteBuffer scratch = ByteBuffer.allocate(8).order(LITTLE_ENDIAN);
    for (RecordLayout.Field field : fields) {
      byte[] name = field.name().getBytes(UTF_8);
      sha.update((byte) name.length);
      sha.update(name);
      sha.update((byte) field.dtype().code());
      sha.update((byte) field.rank());
      for (int i = 0; withDimensions && i < field.rank(); i++) {
        sha.update(scratch.putLong(0, field.dimension(i)).array());
      }
    }
    return ByteBuffer.wrap(sha.digest()).order(LITTLE_ENDIAN).getLong();
  }

  private static MessageDigest sha256() {
    try {
      return MessageDigest.getInstance("SHA-256");
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("every Java platform has SHA-256", e);
    }
  }
}
