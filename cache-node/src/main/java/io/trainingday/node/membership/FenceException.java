package io.trainingday.node.membership;

/** A change that cannot be called done; the message says why. */
public final class FenceException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  /** Why not. */
  public enum Reason {
    /** This node has no majority of the grid, or is out of it. */
    MINORITY,
    /** The deadline passed, or the node stops. Again may succeed. */
    UNCONFIRMED
  }

  private final Reason reason;

  FenceException(Reason reason, String message) {
    super(message);
    this.reason = reason;
  }

  public Reason reason() {
    return reason;
  }
}
