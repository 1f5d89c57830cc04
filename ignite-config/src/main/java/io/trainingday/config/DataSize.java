package io.trainingday.config;

import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * A number of bytes as people write it: {@code 64GiB}, {@code 64Gi}, {@code 512 MiB}, {@code
 * 1048576 B}. Units are powers of 1024; {@code 64g} and {@code 64GB} are refused because they mean
 * different numbers to different tools.
 *
 * @param bytes the size in bytes, from 0
 */
public record DataSize(long bytes) implements Comparable<DataSize> {
  static final Pattern TEXT = Pattern.compile("([0-9]{1,19}) ?(B|(?:[KMGT])iB?)");
  private static final Pattern AMBIGUOUS =
      Pattern.compile("([0-9]{1,19}) ?([KMGTkmgt])(?:[iI]?[bB])?");
  private static final String UNITS = "BKMGT";

  public DataSize {
    if (bytes < 0) {
      throw new IllegalArgumentException("bytes=" + bytes + ", allowed: from 0");
    }
  }

  public static DataSize ofBytes(long bytes) {
    return new DataSize(bytes);
  }

  public static DataSize ofKiB(long kibibytes) {
    return new DataSize(Math.multiplyExact(kibibytes, 1L << 10));
  }

  public static DataSize ofMiB(long mebibytes) {
    return new DataSize(Math.multiplyExact(mebibytes, 1L << 20));
  }

  public static DataSize ofGiB(long gibibytes) {
    return new DataSize(Math.multiplyExact(gibibytes, 1L << 30));
  }

  /**
   * Reads a whole number, at most one space and one of the units B, KiB, MiB, GiB, TiB (or Ki, Mi,
   * Gi, Ti).
   *
   * @throws IllegalArgumentException with what to write instead, if the text is anything else or
   *     more than 2^63-1 bytes
   */
  public static DataSize parse(String text) {
    Matcher matcher = TEXT.matcher(text);
    if (!matcher.matches()) {
      Matcher ambiguous = AMBIGUOUS.matcher(text);
      throw new IllegalArgumentException(
          ambiguous.matches()
              ? "write " + ambiguous.group(1) + ambiguous.group(2).toUpperCase(Locale.ROOT) + "iB"
              : "write a whole number and a unit: B, KiB, MiB, GiB or TiB");
    }
    long factor = 1L << (10 * UNITS.indexOf(matcher.group(2).charAt(0)));
    try {
      return new DataSize(Math.multiplyExact(Long.parseLong(matcher.group(1)), factor));
    } catch (ArithmeticException | NumberFormatException tooLarge) {
      throw new IllegalArgumentException("write at most 9223372036854775807B", tooLarge);
    }
  }

  @Override
  public int compareTo(DataSize other) {
    return Long.compare(bytes, other.bytes);
  }

  /** The size in the largest unit that gives a whole number; {@link #parse} reads it back. */
  @Override
  public String toString() {
    int unit = bytes == 0 ? 0 : Math.min(Long.numberOfTrailingZeros(bytes) / 10, 4);
    return (bytes >> (10 * unit)) + (unit == 0 ? "B" : UNITS.charAt(unit) + "iB");
  }
}
