package io.trainingday.lane;

/**
 * A request that was answered by an error, or a frame that breaks the protocol. The message is a
 * sentence for a person. An {@link java.io.IOException} instead means that the connection is gone.
 */
public final class LaneException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  /** What went wrong; codes as in {@code contract/lane.md}. */
  public enum Code {
    MALFORMED(1, false),
    UNSUPPORTED_VERSION(2, false),
    TOO_MANY(3, true),
    REFUSED(4, false),
    NO_SEGMENT(5, true),
    STOPPING(6, true),
    FAILED(7, true),
    TOO_LARGE(8, false),
    NOT_COLLATABLE(9, false),
    DENIED(10, false);

    private final int wire;
    private final boolean retryable;

    Code(int wire, boolean retryable) {
      this.wire = wire;
      this.retryable = retryable;
    }

    /** The number in the frame, 1–10. */
    public int wire() {
      return wire;
    }

    /** Whether the same request may succeed later. */
    public boolean retryable() {
      return retryable;
    }

    /** The code of a number in a frame; FAILED for one this version does not know. */
    static Code of(int wire) {
      for (Code code : values()) {
        if (code.wire == wire) {
          return code;
        }
      }
      return FAILED;
    }
  }

  private final Code code;

  public LaneException(Code code, String message) {
    super(message);
    this.code = code;
  }

  public Code code() {
    return code;
  }
}
