package io.trainingday.node.versions;

import java.nio.ByteBuffer;

/** What tells a version key from the one before: small, so that it can be read with every batch. */
record Head(long incarnation, long generation) {
  static Head of(VersionKey key) {
    return new Head(key.incarnation(), key.generation());
  }

  /** i64 incarnation, i64 generation, big-endian; a later release may append. */
  byte[] encode() {
    return ByteBuffer.allocate(2 * Long.BYTES).putLong(incarnation).putLong(generation).array();
  }

  static Head decode(byte[] bytes) {
    ByteBuffer in = ByteBuffer.wrap(bytes);
    return new Head(in.getLong(), in.getLong());
  }

  boolean isNewerThan(DatasetView view) {
    return incarnation != view.incarnation() || generation > view.generation();
  }
}
