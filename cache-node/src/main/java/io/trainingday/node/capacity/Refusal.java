package io.trainingday.node.capacity;

/** Why a record was not admitted; the lower-case name is the metric's tag. */
public enum Refusal {
  /** This node has no room for it. */
  BUDGET,
  /** Its data set has as much of this node's memory as it may have. */
  QUOTA,
  /** Room is being made for it: try again in a moment. */
  EVICTING,
  /** Another node that is to hold a copy of it has no room. */
  COPY_BUDGET,
  /** Another node that is to hold a copy of it has been asked for room: try again in a moment. */
  COPY_PENDING,
  /** The disk tier has no room for it, and memory neither where it is kept there too. */
  DISK_BUDGET,
  /** The disk tier's file system is full or fails, and there is no room in memory either. */
  DISK_FULL,
  /** It is larger than the largest record this node takes. */
  RECORD_TOO_LARGE,
  /** Admission was closed, see {@link Admission#close}. */
  CLOSED;

  /** Whether it is worth trying again in a moment; such a refusal is not counted. */
  public boolean passes() {
    return this == EVICTING || this == COPY_PENDING;
  }
}
