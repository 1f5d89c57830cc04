package io.trainingday.node.recovery;

import org.jspecify.annotations.Nullable;

/** The directory cannot be used; the message says which, why, and what to do. */
public final class KeptFilesException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  KeptFilesException(String message, @Nullable Throwable cause) {
    super(message, cause);
  }
}
