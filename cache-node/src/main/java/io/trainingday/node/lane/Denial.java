package io.trainingday.node.lane;

import io.trainingday.lane.LaneException;

/** A request that this connection's token does not grant. */
final class Denial extends RuntimeException {
  private static final long serialVersionUID = 1L;

  private final RefusalReason reason;

  Denial(RefusalReason reason, String message) {
    super(message);
    this.reason = reason;
  }

  RefusalReason reason() {
    return reason;
  }

  /** What the other side is told. */
  LaneException refusal() {
    return new LaneException(LaneException.Code.DENIED, String.valueOf(getMessage()));
  }
}
