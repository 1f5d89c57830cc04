package io.trainingday.grid;

import java.util.Objects;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import javax.net.ssl.SSLException;
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

  // How the communication port tells, at every try, that a connection failed in TLS.
  private static final String SELECTOR = "Failed to process selector key";
  private static final String HANDSHAKE = "Failed to start SSL handshake";
  private static final String UNDECODED = "Failed to decode SSL data";

  /** Said of every connection that ends without a farewell of TLS. */
  private static final String SHUTDOWN = "Failed to shutdown socket";

  private static final Pattern REMOTE = Pattern.compile("rmtAddr=[^/,\\]]*/([^,\\]]+):[0-9]+");

  private final Logger log;
  private final GridListener listener;

  /**
   * @param listener hears of connections refused, which Ignite only logs
   */
  Slf4jIgniteLogger(GridListener listener) {
    this(LoggerFactory.getLogger("org.apache.ignite"), listener);
  }

  private Slf4jIgniteLogger(Logger log, GridListener listener) {
    this.log = log;
    this.listener = listener;
  }

  @Override
  public IgniteLogger getLogger(Object category) {
    String name = category instanceof Class<?> type ? type.getName() : String.valueOf(category);
    return new Slf4jIgniteLogger(LoggerFactory.getLogger(name), listener);
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
    if (message.contains(UNDECODED)) {
      // The reason is not told, and Ignite says it at every try.
      listener.refused(
          address(message),
          new SSLException("the handshake at Ignite's communication port failed"));
      log.debug(message, error);
    } else if (message.startsWith(SHUTDOWN)) {
      log.debug(message, error);
    } else {
      log.warn(message, error);
    }
  }

  @Override
  public void error(String message, @Nullable Throwable error) {
    if (isTls(error) && (message.startsWith(SELECTOR) || message.startsWith(HANDSHAKE))) {
      listener.refused(address(message), Objects.requireNonNull(error));
      log.debug(message, error);
    } else {
      log.error(message, error);
    }
  }

  private static String address(String message) {
    Matcher address = REMOTE.matcher(message);
    return address.find() ? address.group(1) : "an unknown address";
  }

  private static boolean isTls(@Nullable Throwable error) {
    Throwable cause = error;
    for (int depth = 0; cause != null && depth < 64; depth++) {
      if (cause instanceof SSLException) {
        return true;
      }
      cause = cause.getCause();
    }
    return false;
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
