package io.trainingday.node.versions;

/**
 * The grid did not do something, or did not say so, in time; the message says what. The same again
 * may succeed, and does no harm if it was done before.
 */
public final class GridUnavailableException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  GridUnavailableException(String message) {
    super(message);
  }

  GridUnavailableException(String message, Throwable cause) {
    super(message, cause);
  }
}
