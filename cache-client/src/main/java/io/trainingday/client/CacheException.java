package io.trainingday.client;

import io.trainingday.lane.LaneException;
import java.io.IOException;

/**
 * What was asked for cannot be had, and asking again will not help: a data set the node refuses, a
 * record it will not take, samples that do not fit the read shape. The message says what to change.
 * A cache that is away or busy is no such thing: samples then come from the origin.
 */
public final class CacheException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  /** What kind of trouble it is. */
  public enum Kind {
    /** The node answers, and will not: a token, a role, or what was asked for. */
    REFUSED,
    /** No node answers, or the one asked has gone or is going. */
    UNREACHABLE,
    /** Any other. */
    OTHER
  }

  CacheException(String message) {
    super(message);
  }

  CacheException(String message, Throwable cause) {
    super(message, cause);
  }

  /** What kind of trouble it is. */
  public Kind kind() {
    if (getCause() instanceof LaneException answer) {
      return switch (answer.code()) {
        case REFUSED, DENIED, UNSUPPORTED_VERSION -> Kind.REFUSED;
        case STOPPING -> Kind.UNREACHABLE;
        default -> Kind.OTHER;
      };
    }
    return getCause() instanceof IOException ? Kind.UNREACHABLE : Kind.OTHER;
  }
}
