package io.trainingday.node.capacity;

/** Why a record was not admitted; the lower-case name is the metric's tag. */
public enum Refusal {
  /** Used pages plus bytes in flight leave no room for it. */
  BUDGET,
  /** It is larger than the largest record this node takes. */
  RECORD_TOO_LARGE,
  /** Admission was closed, see {@link Admission#close}. */
  CLOSED;
}
