package io.trainingday.grid;

import org.apache.ignite.IgniteLogger;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Ignite's log lines as ours. Its information is our debug, but for who is in the grid; its
 * warnings and errors stay what they are.
 */
final class Slf4jIgniteLogger implements IgniteLogger {
  private static final String TOPOLOGY = "Topology snapshot";

  private final Logger log;

  Slf4jIgniteLogger() {
    this(LoggerFactory.getLogger("org.apache.ignite"));
  }

  private Slf4jIgniteLogger(Logger log) {
    this.log = log;
  }

  @Override
  public IgniteLogger getLogger(Object category) {
    String name = category instanceof Class<?> type ? type.getName() : String.valueOf(category);
    return new Slf4jIgniteLogger(LoggerFactory.getLogger(name));
  }

  @Override
  public void trace(String message) {
    log.trace(message);
  }

  @Override
  public void debug(String message) {
    log.trace(message);
  }

  @Override
  public void info(String message) {
    if (message.startsWith(TOPOLOGY)) {
      log.info(message);
    } else {
      log.debug(message);
    }
  }

  @Override
  public void warning(String message, @Nullable Throwable error) {
    log.warn(message, error);
  }

  @Override
  public void error(String message, @Nullable Throwable error) {
    log.error(message, error);
  }

  @Override
  public boolean isTraceEnabled() {
    return log.isTraceEnabled();
  }

  @Override
  public boolean isDebugEnabled() {
    return log.isTraceEnabled();
  }

  @Override
  public boolean isInfoEnabled() {
    return log.isInfoEnabled();
  }

  /** Never: quiet, for Ignite, is to print to standard output instead. */
  @Override
  public boolean isQuiet() {
    return false;
  }

  @Override
  public @Nullable String fileName() {
    return null;
  }
}
