package io.trainingday.node.fill;

import org.jspecify.annotations.Nullable;

/** What the owner of a key says about a record that a reader did not find in the store. */
public final class MissAnswer {
  /** The kinds of answer. */
  public enum Kind {
    /** The record was filled a moment ago and is on its way to the store: {@link #record}. */
    RECORD,
    /** The record reached the store after the reader looked: read again. */
    IN_STORE,
    /** The asker holds the lease now: load, then submit, renew or release. */
    GRANTED,
    /** The asker's own connection holds the lease already, so one of its threads is loading. */
    HELD_BY_YOU,
    /** Somebody else is loading; a waiter given with the question is registered. */
    LEASED_TO_OTHER,
    /** No lease: a limit is reached or the connection or node is closing. Load without one. */
    REFUSED
  }

  static final MissAnswer IN_STORE = new MissAnswer(Kind.IN_STORE, 0, null);
  static final MissAnswer LEASED_TO_OTHER = new MissAnswer(Kind.LEASED_TO_OTHER, 0, null);
  static final MissAnswer REFUSED = new MissAnswer(Kind.REFUSED, 0, null);

  private final Kind kind;
  private final long lease;
  private final byte @Nullable [] record;

  private MissAnswer(Kind kind, long lease, byte @Nullable [] record) {
    this.kind = kind;
    this.lease = lease;
    this.record = record;
  }

  static MissAnswer ofRecord(byte[] record) {
    return new MissAnswer(Kind.RECORD, 0, record);
  }

  static MissAnswer granted(long lease) {
    return new MissAnswer(Kind.GRANTED, lease, null);
  }

  static MissAnswer heldByYou(long lease) {
    return new MissAnswer(Kind.HELD_BY_YOU, lease, null);
  }

  public Kind kind() {
    return kind;
  }

  /** The number of the asker's lease, from 1; 0 unless {@code GRANTED} or {@code HELD_BY_YOU}. */
  public long lease() {
    return lease;
  }

  /**
   * The whole record, shared and not to be changed.
   *
   * @throws IllegalStateException unless the kind is {@link Kind#RECORD}
   */
  public byte[] record() {
    if (record == null) {
      throw new IllegalStateException("an answer of kind " + kind + " has no record");
    }
    return record;
  }

  @Override
  public String toString() {
    return record == null ? kind.toString() : kind + " of " + record.length + " bytes";
  }
}
