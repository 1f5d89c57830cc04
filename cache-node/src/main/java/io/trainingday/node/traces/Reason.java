package io.trainingday.node.traces;

import java.util.Locale;

/**
 * Why a sample was not there when it was read. Of what several nodes say of one miss, the first of
 * these holds: who knows that a record went knows more than who never saw it.
 */
public enum Reason {
  /** Loaded before, and not kept. */
  REFUSED,
  /** Given up to make room. */
  EVICTED,
  /** Older than the data set's {@code maxAge}. */
  EXPIRED,
  /** Made of a source with another stamp. */
  STAMP,
  /** Did not match its checksum. */
  DAMAGED,
  /** All nodes that held its partition have left the grid. */
  OWNER_LOST,
  /** Kept under another version: the sample has changed since. */
  VERSION,
  /** Kept, but of another pipeline. */
  FINGERPRINT,
  /** This node might not serve just then, as on the smaller side of a split. */
  NOT_SERVING,
  /** It was there once, or what was noted of it had to be forgotten. */
  UNKNOWN,
  /** Nobody has loaded it yet. */
  COLD;

  /** As {@code explain} writes it. */
  public String text() {
    return name().toLowerCase(Locale.ROOT).replace('_', '-');
  }
}
