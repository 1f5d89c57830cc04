package io.trainingday.node.disk;

/** A directory or a setting that a disk tier cannot be opened with; the message is for people. */
public final class DiskRefusedException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  DiskRefusedException(String message) {
    super(message);
  }

  DiskRefusedException(String message, Throwable cause) {
    super(message, cause);
  }
}
