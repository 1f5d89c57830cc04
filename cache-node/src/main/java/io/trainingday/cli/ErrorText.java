package io.trainingday.cli;

import io.trainingday.client.CacheException;
import io.trainingday.config.SettingsException;
import java.io.PrintWriter;
import picocli.CommandLine.ParameterException;

/** What a failed verb says, and how it ends. */
final class ErrorText {
  private static final String OURS = "io.trainingday.";

  private ErrorText() {}

  static Exit exit(Throwable failure) {
    if (failure instanceof ExitException own) {
      return own.exit();
    }
    if (failure instanceof SettingsException || failure instanceof SampleFileException) {
      return Exit.USAGE;
    }
    if (failure instanceof CacheException ofCache) {
      return switch (ofCache.kind()) {
        case REFUSED -> Exit.REFUSED;
        case UNREACHABLE -> Exit.UNREACHABLE;
        case OTHER -> Exit.WRONG;
      };
    }
    return Exit.WRONG;
  }

  /** Prints the failure as one line, or as many as the settings have problems. */
  static void print(Throwable failure, boolean debug, PrintWriter err) {
    err.println("error: " + describe(failure));
    if (debug) {
      failure.printStackTrace(err);
    }
    err.flush();
  }

  /** What is wrong with a command line. */
  static String describe(ParameterException wrong) {
    // Of groups of options picocli begins with that by itself.
    return String.valueOf(wrong.getMessage()).replaceFirst("^Error: ", "");
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
