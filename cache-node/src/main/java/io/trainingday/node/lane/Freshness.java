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
    boolean expired =
        oldestMillis != PeerRead.ANY_AGE && RecordLayout.createdMillis(header, at) < oldestMillis;
    boolean otherStamp = stamps.length > 0 && RecordLayout.sourceStamp(header, at) != stamps[i];
    restamped.set(i, otherStamp && !expired);
    return expired || otherStamp;
  }

  /**
   * Whether the stale record of sample {@code i} is removed for all: one that is too old always,
   * one with another stamp only for who would load it anew. Anybody can state a stamp; who may only
   * read takes nothing from others by it.
   *
   * @param lease whether missing samples are leased to who asks
   */
  boolean isRemoved(int i, boolean lease) {
    return lease || !restamped.get(i);
  }

  /** What a stale record of sample {@code i} is: one that is both is too old. */
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
