package io.trainingday.node.lane;

import io.trainingday.lane.LaneException;
import java.util.Locale;

/** Why a request or a connection was refused, as metrics count it. */
enum RefusalReason {
  MALFORMED(true),
  UNSUPPORTED_VERSION(true),
  TOO_MANY(true),
  REFUSED(false),
  NO_SEGMENT(false),
  STOPPING(false),
  FAILED(false),
  TOO_LARGE(false),
  NOT_COLLATABLE(false),
  /** There is no token, or it is unknown. */
  TOKEN(true),
  /** The role is not granted, or may not do that. */
  ROLE(true),
  /** The two ends do not agree on whether and how to encrypt. */
  TLS(true),
  /** No greeting in time. */
  SILENCE(true);

  private final boolean operators;

  RefusalReason(boolean operators) {
    this.operators = operators;
  }

  static RefusalReason of(LaneException.Code code) {
    return code == LaneException.Code.DENIED ? ROLE : valueOf(code.name());
  }

  /** Whether it concerns who runs the node; anything else is told to the trainer alone. */
  boolean isForOperators() {
    return operators;
  }

  String label() {
    return name().toLowerCase(Locale.ROOT);
  }
}
