package io.trainingday.record;

/**
 * Bytes that are no record: says where, what was found and what is allowed. Whoever reads a cache
 * treats it as a miss.
 */
public final class MalformedRecordException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  private final long offset;

  MalformedRecordException(long offset, String what, Object value, String allowed) {
    super("record byte %d: %s=%s, allowed: %s".formatted(offset, what, value, allowed));
    this.offset = offset;
  }

  MalformedRecordException(String message, Throwable cause) {
    super(message, cause);
    this.offset = 0;
  }

  /** Where in the record the fault was found, in bytes from its start. */
  public long offset() {
    return offset;
  }
}
