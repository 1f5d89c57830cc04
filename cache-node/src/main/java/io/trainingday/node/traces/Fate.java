package io.trainingday.node.traces;

/** What became last of a record, as far as one node knows. */
public enum Fate {
  /** A trainer loaded it, and it was taken. */
  KEPT(""),
  REFUSED_BUDGET("budget"),
  REFUSED_QUOTA("quota"),
  REFUSED_COPY_BUDGET("copy-budget"),
  REFUSED_DISK("disk"),
  REFUSED_TOO_LARGE("too-large"),
  REFUSED_CLOSED("closed"),
  /** Too much was on its way to the store, until its trainer gave up. */
  REFUSED_BUSY("busy"),
  EVICTED(""),
  /** Older than the data set's {@code maxAge}. */
  EXPIRED(""),
  /** The source of the sample has another stamp. */
  RESTAMPED(""),
  DAMAGED(""),
  /** All nodes that held its partition have left the grid. */
  LOST("");

  private final String why;

  Fate(String why) {
    this.why = why;
  }

  /** The word for people that says why it was refused; empty for every other fate. */
  public String why() {
    return why;
  }

  Reason reason() {
    return switch (this) {
      case KEPT -> Reason.UNKNOWN;
      case REFUSED_BUDGET,
          REFUSED_QUOTA,
          REFUSED_COPY_BUDGET,
          REFUSED_DISK,
          REFUSED_TOO_LARGE,
          REFUSED_CLOSED,
          REFUSED_BUSY ->
          Reason.REFUSED;
      case EVICTED -> Reason.EVICTED;
      case EXPIRED -> Reason.EXPIRED;
      case RESTAMPED -> Reason.STAMP;
      case DAMAGED -> Reason.DAMAGED;
      case LOST -> Reason.OWNER_LOST;
    };
  }
}
