package io.trainingday.node.lane;

/** The lane cannot be opened with these settings; the message says which one and what to do. */
public final class LaneStartException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  LaneStartException(String message) {
    super(message);
  }

  LaneStartException(String message, Throwable cause) {
    super(message, cause);
  }
}
