package io.trainingday.node.lane;

import java.util.EnumMap;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.LongAdder;
import java.util.function.Consumer;
import java.util.function.LongSupplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Counts refusals by reason, and logs those for operators once a minute and reason at most: who is
 * refused may try again and again. Thread-safe.
 */
final class Refusals {
  private static final Logger LOG = LoggerFactory.getLogger(Refusals.class);
  private static final long QUIET_NANOS = TimeUnit.MINUTES.toNanos(1);

  private final LongSupplier nanoTime;
  private final Consumer<String> warn;
  private final long startNanos;
  private final Map<RefusalReason, Refused> all = new EnumMap<>(RefusalReason.class);

  private static final class Refused {
    final LongAdder count = new LongAdder();

    /** When it was logged last, from the start on; negative for never. */
    final AtomicLong loggedNanos = new AtomicLong(-QUIET_NANOS);
  }

  /**
   * Nothing counted yet.
   *
   * @param warn where what is for operators goes
   */
  Refusals(LongSupplier nanoTime, Consumer<String> warn) {
    this.nanoTime = nanoTime;
    this.warn = warn;
    this.startNanos = nanoTime.getAsLong();
    for (RefusalReason reason : RefusalReason.values()) {
      all.put(reason, new Refused());
    }
  }

  /**
   * Counts one.
   *
   * @param from who was refused
   * @param message what it was told; control characters in it are not passed on to the log
   */
  void count(RefusalReason reason, Object from, String message) {
    Refused refused = of(reason);
    refused.count.increment();
    if (!reason.isForOperators()) {
      LOG.debug("Refused {} ({}): {}", from, reason.label(), printable(message));
      return;
    }
    long now = nanoTime.getAsLong() - startNanos;
    long last = refused.loggedNanos.get();
    if (now - last >= QUIET_NANOS && refused.loggedNanos.compareAndSet(last, now)) {
      warn.accept(
          "Refused %s (%s): %s. More of this kind are counted, not logged, for a minute"
              .formatted(from, reason.label(), printable(message)));
    }
  }

  private Refused of(RefusalReason reason) {
    Refused refused = all.get(reason);
    if (refused == null) {
      throw new IllegalStateException("not counted: " + reason);
    }
    return refused;
  }

  private static String printable(String message) {
    return message.replaceAll("\\p{Cntrl}", "?");
  }

  /** By reason, in lower case; those that never happened too. */
  Map<String, Long> counts() {
    Map<String, Long> counts = new TreeMap<>();
    all.forEach((reason, refused) -> counts.put(reason.label(), refused.count.sum()));
    return counts;
  }
}
