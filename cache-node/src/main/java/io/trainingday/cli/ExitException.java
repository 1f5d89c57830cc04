package io.trainingday.cli;

/** Ends a verb with an exit code of its own; the message is a sentence for a person. */
final class ExitException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  private final Exit exit;

  ExitException(Exit exit, String message) {
    super(message);
    this.exit = exit;
  }

  Exit exit() {
    return exit;
  }
}
