package io.trainingday.node.lane;

import io.trainingday.record.RecordLayout;
import java.nio.ByteBuffer;

/**
 * Whether records are still what their source is: not too old, and made of it as it looks now. What
 * is asked of every sample of one request. Immutable.
 */
final class Freshness {
  /** Of {@code oldestMillis}: however old. */
  static final long ANY_AGE = Long.MIN_VALUE;

  private final long oldestMillis;
  private final long[] stamps;

  /**
   * @param oldestMillis records made before, in milliseconds since 1970, are stale
   * @param stamps what the source of each sample looks like now; empty when nobody says
   */
  Freshness(long oldestMillis, long[] stamps) {
    this.oldestMillis = oldestMillis;
    this.stamps = stamps;
  }

  long oldestMillis() {
    return oldestMillis;
  }

  long[] stamps() {
    return stamps;
  }

  /** Whether the record of sample {@code i}, whose header lies at {@code at}, is no more right. */
  boolean isStale(ByteBuffer header, int at, int i) {
    return (oldestMillis != ANY_AGE && RecordLayout.createdMillis(header, at) < oldestMillis)
        || (stamps.length > 0 && RecordLayout.sourceStamp(header, at) != stamps[i]);
  }

  /** The same for the samples at some positions. */
  Freshness of(int[] positions) {
    if (stamps.length == 0) {
      return this;
    }
    long[] some = new long[positions.length];
    for (int k = 0; k < positions.length; k++) {
      some[k] = stamps[positions[k]];
    }
    return new Freshness(oldestMillis, some);
  }
}
