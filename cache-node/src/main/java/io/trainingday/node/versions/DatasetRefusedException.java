package io.trainingday.node.versions;

/**
 * A request about a data set that does not fit what the grid knows; the message says what to do.
 */
public final class DatasetRefusedException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  /** What did not fit. */
  public enum Reason {
    /** A name, fingerprint, digest, setting or request id is empty, malformed or too long. */
    MALFORMED,
    /** Another name or fingerprint has the same hash. */
    COLLISION,
    /** The data set is kept with another source. */
    SOURCE_MISMATCH,
    /** The source was replaced after this data set was opened. */
    SOURCE_REPLACED,
    /** The data set is kept with other settings. */
    SETTINGS_MISMATCH,
    /** The pipeline's records have other fields. */
    SCHEMA_MISMATCH,
    /** An index is not in the source. */
    INDEX_OUT_OF_RANGE,
    /** No data set of this name. */
    UNKNOWN_DATASET,
    /** A request id was used before for something else. */
    REQUEST_REUSED,
    /** Too many data sets or pipelines, or no room for them. */
    LIMIT,
    /** Written by a newer version of the node. */
    NEWER_LAYOUT,
    /** The node is on the smaller side of a broken grid, or out of it. */
    MINORITY
  }

  private final Reason reason;

  DatasetRefusedException(Reason reason, String message) {
    super(message);
    this.reason = reason;
  }

  public Reason reason() {
    return reason;
  }
}
