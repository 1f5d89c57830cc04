package io.trainingday.node.disk;

import java.nio.ByteBuffer;
import java.util.Arrays;

/**
 * Records whose keys lie next to each other, to be dropped together: those of one data set, or of
 * one pipeline of it, all of them or the old versions. Immutable.
 */
public final class KeyRange {
  private final byte[] from;
  private final byte[] to;

  private KeyRange(byte[] from, byte[] to) {
    this.from = from;
    this.to = to;
  }

  /** All records of a data set, of all its incarnations. */
  public static KeyRange dataset(long dataset) {
    return withPrefix(dataset);
  }

  /** All records of one incarnation of a data set. */
  public static KeyRange incarnation(long dataset, long incarnation) {
    return withPrefix(dataset, incarnation);
  }

  /** All records that one pipeline made. */
  public static KeyRange pipeline(long dataset, long incarnation, long pipeline) {
    return withPrefix(dataset, incarnation, pipeline);
  }

  /** All records that one pipeline made of versions below {@code version}. */
  public static KeyRange versionsBelow(
      long dataset, long incarnation, long pipeline, long version) {
    return new KeyRange(
        prefix(dataset, incarnation, pipeline), prefix(dataset, incarnation, pipeline, version));
  }

  private static KeyRange withPrefix(long... fields) {
    byte[] prefix = prefix(fields);
    return new KeyRange(prefix, IndexKeys.after(prefix));
  }

  private static byte[] prefix(long... fields) {
    ByteBuffer prefix = ByteBuffer.allocate(fields.length * Long.BYTES);
    Arrays.stream(fields).forEach(prefix::putLong);
    return prefix.array();
  }

  /** The first key of it, or what comes before that. */
  byte[] from() {
    return from;
  }

  /** The first key behind it, or what comes before that; empty when nothing can. */
  byte[] to() {
    return to;
  }
}
