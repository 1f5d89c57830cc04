package io.trainingday.config;

import java.util.OptionalInt;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * A part of a node's memory as people write it: a size such as {@code 64GiB}, or a share of it such
 * as {@code 25%}, which means another size on a node of another budget.
 *
 * @param percent of the whole, 0–100, or empty where a size is given
 * @param size where no share is given; else 0
 */
public record Portion(OptionalInt percent, DataSize size) {
  private static final int WHOLE = 100;
  static final Pattern TEXT =
      Pattern.compile("(?:100|[1-9]?[0-9])%|(?:" + DataSize.TEXT.pattern() + ")");
  private static final Pattern SHARE = Pattern.compile("(100|[1-9]?[0-9])%");

  public Portion {
    if (percent.isPresent() && (percent.getAsInt() < 0 || percent.getAsInt() > WHOLE)) {
      throw new IllegalArgumentException("percent=" + percent.getAsInt() + ", allowed: 0 to 100");
    }
  }

  public static Portion ofPercent(int percent) {
    return new Portion(OptionalInt.of(percent), DataSize.ofBytes(0));
  }

  public static Portion of(DataSize size) {
    return new Portion(OptionalInt.empty(), size);
  }

  /**
   * Reads a whole number of percent, or a size as {@link DataSize#parse} does.
   *
   * @throws IllegalArgumentException with what to write instead
   */
  public static Portion parse(String text) {
    Matcher share = SHARE.matcher(text);
    if (share.matches()) {
      return ofPercent(Integer.parseInt(share.group(1)));
    }
    if (text.endsWith("%")) {
      throw new IllegalArgumentException("write 0% to 100%, without a fraction");
    }
    return of(DataSize.parse(text));
  }

  /** How many of {@code wholeBytes} it is; a size may be more than there are. */
  public long bytesOf(long wholeBytes) {
    return percent.isPresent()
        ? wholeBytes / WHOLE * percent.getAsInt() + wholeBytes % WHOLE * percent.getAsInt() / WHOLE
        : size.bytes();
  }

  /** {@link #parse} reads it back. */
  @Override
  public String toString() {
    return percent.isPresent() ? percent.getAsInt() + "%" : size.toString();
  }
}
