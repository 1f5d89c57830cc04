package io.trainingday.node.lane;

import java.util.EnumMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.LongAdder;
import java.util.function.Consumer;
import java.util.function.LongSupplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Counts refusals by reason, and logs those for operators: a minute each host and reason once, and
 * {@value #MAX_LINES} lines in all, since who is refused may try again and again, and from many
 * addresses. Thread-safe.
 */
public final class Refusals {
  private static final Logger LOG = LoggerFactory.getLogger(Refusals.class);
  private static final long QUIET_NANOS = TimeUnit.MINUTES.toNanos(1);

  /** A minute; also what is remembered of who was logged. */
  static final int MAX_LINES = 32;

  private final LongSupplier nanoTime;
  private final Consumer<String> warn;
  private final Map<RefusalReason, LongAdder> counts = new EnumMap<>(RefusalReason.class);
  private final Set<Logged> logged = new HashSet<>();
  private long minuteStartNanos;

  private record Logged(RefusalReason reason, String from) {}

  /**
   * Nothing counted yet.
   *
   * @param reasons that may happen
   * @param warn where what is for operators goes
   */
  public Refusals(Set<RefusalReason> reasons, LongSupplier nanoTime, Consumer<String> warn) {
    this.nanoTime = nanoTime;
    this.warn = warn;
    this.minuteStartNanos = nanoTime.getAsLong();
    for (RefusalReason reason : reasons) {
      counts.put(reason, new LongAdder());
    }
  }

  /**
   * Counts one.
   *
   * @param from who was refused, without what is another one at the next try
   * @param message what it was told; control characters in it are not passed on to the log
   */
  public void count(RefusalReason reason, String from, String message) {
    LongAdder count = counts.get(reason);
    if (count == null) {
      throw new IllegalStateException("not counted: " + reason);
    }
    count.increment();
    if (!reason.isForOperators()) {
      LOG.debug("Refused {} ({}): {}", from, reason.label(), printable(message));
      return;
    }
    int lines = linesWith(new Logged(reason, from));
    if (lines > 0) {
      warn.accept(
          "Refused %s (%s): %s. More %s are counted, not logged, for a minute"
              .formatted(
                  from,
                  reason.label(),
                  printable(message),
                  lines < MAX_LINES ? "of this kind from there" : "of any kind from anywhere"));
    }
  }

  /** How many lines of this minute there are with this one, 0 if it is not to be logged. */
  private synchronized int linesWith(Logged one) {
    long now = nanoTime.getAsLong();
    if (now - minuteStartNanos >= QUIET_NANOS) {
      minuteStartNanos = now;
      logged.clear();
    }
    return logged.size() < MAX_LINES && logged.add(one) ? logged.size() : 0;
  }

  private static String printable(String message) {
    return message.replaceAll("\\p{Cntrl}", "?");
  }

  /** By reason, in lower case; those that never happened too. */
  public Map<String, Long> counts() {
    Map<String, Long> all = new TreeMap<>();
    counts.forEach((reason, count) -> all.put(reason.label(), count.sum()));
    return all;
  }
}
