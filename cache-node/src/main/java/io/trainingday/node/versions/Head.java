package io.trainingday.node.versions;

import java.nio.ByteBuffer;

/**
 * What tells a version key from the one before: small, so that it can be read with every batch.
 *
 * @param revision of what is kept beside the version key
 */
record Head(long incarnation, long generation, long revision) {
  static Head of(VersionKey key) {
    return new Head(key.incarnation(), key.generation(), key.revision());
  }

  /** i64 incarnation, i64 generation, i64 revision, big-endian; a later release may append. */
  byte[] encode() {
    return ByteBuffer.allocate(3 * Long.BYTES)
        .putLong(incarnation)
        .putLong(generation)
        .putLong(revision)
        .array();
  }

  static Head decode(byte[] bytes) {
    ByteBuffer in = ByteBuffer.wrap(bytes);
    return new Head(in.getLong(), in.getLong(), in.getLong());
  }

  boolean isNewerThan(DatasetView view) {
    return incarnation != view.incarnation() || generation > view.generation();
  }

  /** Whether it is of the same incarnation, and has nothing that {@code other} has not. */
  boolean isWithin(Head other) {
    return incarnation == other.incarnation
        && generation <= other.generation
        && revision <= other.revision;
  }
}
