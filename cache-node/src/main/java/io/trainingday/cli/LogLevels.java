package io.trainingday.cli;

import ch.qos.logback.classic.Level;
import ch.qos.logback.classic.Logger;
import io.trainingday.config.Settings.LogLevel;
import org.slf4j.LoggerFactory;

/** Sets what is logged, over what {@code logback.xml} says. */
final class LogLevels {
  private static final String OURS = "io.trainingday";
  private static final String IGNITE = "org.apache.ignite";

  private LogLevels() {}

  /**
   * While a node starts: what stops it is said in words by the exception, so Ignite's stack traces
   * and its advice are for debugging.
   */
  static void start(LogLevel level) {
    serve(level);
    if (level.compareTo(LogLevel.DEBUG) < 0) {
      set(IGNITE, Level.OFF);
    }
  }

  /**
   * Our lines from {@code level} on; what others log only from WARN, unless it is for debugging.
   */
  static void serve(LogLevel level) {
    Level others =
        switch (level) {
          case ERROR -> Level.ERROR;
          case WARN, INFO -> Level.WARN;
          case DEBUG, TRACE -> Level.INFO;
        };
    set(OURS, Level.valueOf(level.name()));
    set(IGNITE, others);
    set(org.slf4j.Logger.ROOT_LOGGER_NAME, others);
  }

  /** Nothing below errors, for a verb that says by itself what went wrong. */
  static void quiet() {
    set(OURS, Level.ERROR);
  }

  private static void set(String name, Level level) {
    ((Logger) LoggerFactory.getLogger(name)).setLevel(level);
  }
}
