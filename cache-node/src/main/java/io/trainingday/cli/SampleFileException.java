package io.trainingday.cli;

import org.jspecify.annotations.Nullable;

/** A file that names samples cannot be used; the message names file and line. */
final class SampleFileException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  SampleFileException(String message) {
    this(message, null);
  }

  SampleFileException(String message, @Nullable Throwable cause) {
    super(message, cause);
  }
}
