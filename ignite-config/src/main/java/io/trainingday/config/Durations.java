package io.trainingday.config;

import java.time.Duration;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Durations as people write them: {@code 200ms}, {@code 30s}, {@code 5m}, {@code 1h}, {@code 2d}.
 */
public final class Durations {
  static final Pattern TEXT = Pattern.compile("([0-9]{1,19}) ?(ms|s|m|h|d)");

  private Durations() {}

  /**
   * Reads one.
   *
   * @throws IllegalArgumentException if it is none; the message says how to write it
   */
  public static Duration parse(String text) {
    Matcher matcher = TEXT.matcher(text);
    if (!matcher.matches()) {
      throw new IllegalArgumentException("write a whole number and a unit: ms, s, m, h or d");
    }
    try {
      long count = Long.parseLong(matcher.group(1));
      Duration duration =
          switch (matcher.group(2)) {
            case "ms" -> Duration.ofMillis(count);
            case "s" -> Duration.ofSeconds(count);
            case "m" -> Duration.ofMinutes(count);
            case "h" -> Duration.ofHours(count);
            default -> Duration.ofDays(count);
          };
      // What runs inside counts nanoseconds in a long.
      long nanos = duration.toNanos();
      return Duration.ofNanos(nanos);
    } catch (ArithmeticException | NumberFormatException tooLong) {
      throw new IllegalArgumentException("write at most 106751d", tooLong);
    }
  }

  /** The duration in the largest unit that gives a whole number; finer than 1 ms is cut off. */
  public static String format(Duration duration) {
    long millis = duration.toMillis();
    if (millis == 0) {
      return "0s";
    }
    if (millis % 1000 != 0) {
      return millis + "ms";
    }
    long seconds = millis / 1000;
    if (seconds % 86_400 == 0) {
      return seconds / 86_400 + "d";
    }
    if (seconds % 3_600 == 0) {
      return seconds / 3_600 + "h";
    }
    return seconds % 60 == 0 ? seconds / 60 + "m" : seconds + "s";
  }
}
