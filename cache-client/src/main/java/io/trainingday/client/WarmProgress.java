package io.trainingday.client;

import java.time.Duration;
import java.util.Locale;
import java.util.Optional;

/**
 * How far a {@link WarmUp} has come; a snapshot.
 *
 * @param state whether it goes on, and how it ended
 * @param done samples looked at: {@code hits + loaded + refused + failed}
 * @param total samples it is to look at, as ownership is now; -1 while no node has told
 * @param hits samples that were there already, or that another trainer loaded meanwhile
 * @param loaded samples loaded and taken by the node
 * @param refused samples loaded and not kept: no room, or too large
 * @param failed samples that could not be loaded or stored
 * @param bytes of the records loaded and taken
 * @param samplesPerSecond of late, all that are done counted
 * @param left time left at that speed; empty while it cannot be told, and at the end
 * @param reason why it ended or does not go on, a sentence; empty while it runs
 * @param firstError the first sample that failed, or what ended it
 */
public record WarmProgress(
    State state,
    long done,
    long total,
    long hits,
    long loaded,
    long refused,
    long failed,
    long bytes,
    double samplesPerSecond,
    Optional<Duration> left,
    String reason,
    Optional<Throwable> firstError) {

  /** Whether a warm-up goes on, and how it ended. */
  public enum State {
    RUNNING,
    /** Until {@link WarmUp#resume}. */
    PAUSED,
    /** There is no node; it goes on when there is one. */
    AWAY,
    /** It has looked at all samples; {@code refused} and {@code failed} tell of those not there. */
    COMPLETE,
    /** There is no room for more. */
    FULL,
    /** It was stopped. */
    STOPPED,
    /** The loader failed too often, the data set is refused, or no node came in time. */
    FAILED;

    /** Whether it goes on no more. */
    public boolean isEnd() {
      return this != RUNNING && this != PAUSED && this != AWAY;
    }
  }

  /** One line for people. */
  @Override
  public String toString() {
    StringBuilder line =
        new StringBuilder(
            String.format(
                Locale.ROOT,
                "%s: %,d of %s samples, %,d there already, %,d loaded (%,.1f MB)",
                state.name().toLowerCase(Locale.ROOT),
                done,
                total < 0 ? "?" : String.format(Locale.ROOT, "%,d", total),
                hits,
                loaded,
                bytes / 1e6));
    if (refused > 0) {
      line.append(String.format(Locale.ROOT, ", %,d not kept", refused));
    }
    if (failed > 0) {
      line.append(String.format(Locale.ROOT, ", %,d failed", failed));
    }
    if (!state.isEnd()) {
      line.append(String.format(Locale.ROOT, ", %,.0f/s", samplesPerSecond));
      left.ifPresent(
          time -> line.append(String.format(Locale.ROOT, ", %,d s left", time.toSeconds())));
    }
    return reason.isEmpty() ? line.toString() : line + "; " + reason;
  }
}
