package io.trainingday.client;

/** A reply that is well-formed by itself but does not answer the request. */
final class MalformedReplyException extends Exception {
  private static final long serialVersionUID = 1L;

  MalformedReplyException(String message) {
    super(message);
  }
}
