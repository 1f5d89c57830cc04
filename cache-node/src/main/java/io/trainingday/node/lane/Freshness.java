package io.trainingday.node.lane;

import io.trainingday.lane.PeerMessage.PeerRead;
import io.trainingday.node.traces.Fate;
import io.trainingday.record.RecordLayout;
import java.nio.ByteBuffer;
import java.util.BitSet;

/**
 * Whether records are still what their source is: not too old, and made of it as it looks now. What
 * is asked of every sample of one request. For one thread at a time.
 */
final class Freshness {
  private final long oldestMillis;
  private final long[] stamps;
  private final BitSet restamped = new BitSet();

  /**
   * @param oldestMillis records made before, in milliseconds since 1970, are stale; {@link
   *     PeerRead#ANY_AGE}: however old
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
    if (stamps.length > 0 && RecordLayout.sourceStamp(header, at) != stamps[i]) {
      restamped.set(i);
      return true;
    }
    return oldestMillis != PeerRead.ANY_AGE
        && RecordLayout.createdMillis(header, at) < oldestMillis;
  }

  /** What a stale record of sample {@code i} is. */
  Fate fate(int i) {
    return restamped.get(i) ? Fate.RESTAMPED : Fate.EXPIRED;
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
