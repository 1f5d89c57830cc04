package io.trainingday.cli;

import io.trainingday.config.SettingsException;
import java.io.PrintWriter;
import picocli.CommandLine.ExitCode;

/** What a failed verb says, and its exit code. */
final class ErrorText {
  private static final String OURS = "io.trainingday.";

  private ErrorText() {}

  static int exitCode(Throwable failure) {
    return failure instanceof SettingsException || failure instanceof SampleFileException
        ? ExitCode.USAGE
        : ExitCode.SOFTWARE;
  }

  /** Prints the failure as one line, or as many as the settings have problems. */
  static void print(Throwable failure, boolean debug, PrintWriter err) {
    err.println("error: " + describe(failure));
    if (debug) {
      failure.printStackTrace(err);
    }
    err.flush();
  }

  /** Our own messages are written for people; others need their type to be understood. */
  private static String describe(Throwable failure) {
    String message = failure.getMessage();
    if (failure.getClass().getName().startsWith(OURS) && message != null) {
      return message;
    }
    String type = failure.getClass().getSimpleName();
    String text = message == null ? type : type + ": " + message.replaceAll("\\s*\\R\\s*", " ");
    return text + " (--debug shows where)";
  }
}
