package io.trainingday.node.peer;

/** A node that could not be asked, or did not answer; the message names it and says why. */
final class PeerException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  PeerException(String message) {
    super(message);
  }

  PeerException(String message, Throwable cause) {
    super(message, cause);
  }
}
