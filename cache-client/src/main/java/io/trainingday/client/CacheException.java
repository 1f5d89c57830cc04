package io.trainingday.client;

/**
 * What was asked for cannot be had, and asking again will not help: a data set the node refuses, a
 * record it will not take, samples that do not fit the read shape. The message says what to change.
 * A cache that is away or busy is no such thing: samples then come from the origin.
 */
public final class CacheException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  CacheException(String message) {
    super(message);
  }

  CacheException(String message, Throwable cause) {
    super(message, cause);
  }
}
