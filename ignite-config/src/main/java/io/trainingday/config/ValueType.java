package io.trainingday.config;

import java.nio.charset.StandardCharsets;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.function.Function;
import java.util.function.Predicate;
import java.util.regex.Pattern;

/**
 * How one kind of value is written, read and bounded.
 *
 * @param kind what a file holds there
 * @param allowed what a person may write, in words
 * @param choices every allowed text, or empty if there are too many to list
 * @param pattern what every allowed text matches, or empty if there is no such rule
 * @param min smallest allowed number of an integer
 * @param max largest allowed number of an integer
 * @param parser text to value; throws IllegalArgumentException with a hint, or "" for none
 * @param formatter value to text; the parser reads it back
 * @param fits whether a value is within what is allowed
 */
record ValueType<T>(
    SettingKey.Kind kind,
    String allowed,
    List<String> choices,
    String pattern,
    long min,
    long max,
    Function<String, T> parser,
    Function<T, String> formatter,
    Predicate<T> fits) {

  private static final Pattern NUMBER = Pattern.compile("0|-?[1-9][0-9]{0,17}");
  private static final Pattern NAME = Pattern.compile("[A-Za-z0-9][A-Za-z0-9._-]{0,63}");
  private static final Pattern HOST =
      Pattern.compile("[A-Za-z0-9]([A-Za-z0-9._-]{0,252})|[0-9A-Fa-f:.]{2,45}");
  private static final Pattern ADDRESS =
      Pattern.compile("([A-Za-z0-9][A-Za-z0-9._-]{0,252}|\\[[0-9A-Fa-f:.]{2,45}]):([0-9]{1,5})");
  private static final Pattern TENANT =
      Pattern.compile("[A-Za-z0-9][A-Za-z0-9._-]{0,62}(:([A-Za-z0-9_][A-Za-z0-9._-]{0,31}))?");
  private static final String AUTO = "auto";
  private static final int MAX_LIST = 1024;
  // sun_path holds 108 bytes, the last of them zero.
  private static final int MAX_SOCKET_PATH_BYTES = 107;

  static ValueType<Integer> integer(int min, int max) {
    return integer(min, max, "a whole number from " + min + " to " + max, value -> true);
  }

  static ValueType<Integer> powerOfTwo(int min, int max) {
    return integer(
        min,
        max,
        "a power of two from " + min + " to " + max,
        value -> Integer.bitCount(value) == 1);
  }

  private static ValueType<Integer> integer(
      int min, int max, String allowed, Predicate<Integer> also) {
    return new ValueType<>(
        SettingKey.Kind.INTEGER,
        allowed,
        List.of(),
        "",
        min,
        max,
        text -> {
          if (!NUMBER.matcher(text).matches()) {
            throw new IllegalArgumentException("");
          }
          long value = Long.parseLong(text);
          if (value < min || value > max) {
            throw new IllegalArgumentException("");
          }
          return (int) value;
        },
        value -> Integer.toString(value),
        value -> value >= min && value <= max && also.test(value));
  }

  static ValueType<DataSize> size(DataSize min, DataSize max) {
    return text(
        "a size such as 64MiB, from " + min + " to " + max,
        DataSize.TEXT.pattern(),
        DataSize::parse,
        DataSize::toString,
        value -> value.compareTo(min) >= 0 && value.compareTo(max) <= 0);
  }

  /** A size, or {@code auto}, which is {@link Settings.Memory#AUTO}. */
  static ValueType<DataSize> sizeOrAuto(DataSize min, DataSize max) {
    return text(
        "auto, or a size such as 64MiB, from " + min + " to " + max,
        "auto|(?:" + DataSize.TEXT.pattern() + ")",
        text -> text.equals(AUTO) ? Settings.Memory.AUTO : notAuto(DataSize.parse(text)),
        size -> size.equals(Settings.Memory.AUTO) ? AUTO : size.toString(),
        value ->
            value.equals(Settings.Memory.AUTO)
                || (value.compareTo(min) >= 0 && value.compareTo(max) <= 0));
  }

  private static DataSize notAuto(DataSize size) {
    if (size.equals(Settings.Memory.AUTO)) {
      throw new IllegalArgumentException("");
    }
    return size;
  }

  static ValueType<Portion> portion() {
    return text(
        "a share such as 25%, or a size such as 64GiB",
        Portion.TEXT.pattern(), Portion::parse, Portion::toString, value -> true);
  }

  static ValueType<Duration> duration(Duration min, Duration max) {
    return text(
        "a duration such as 30s or 200ms, from "
            + Durations.format(min)
            + " to "
            + Durations.format(max),
        Durations.TEXT.pattern(),
        Durations::parse,
        Durations::format,
        value -> value.compareTo(min) >= 0 && value.compareTo(max) <= 0);
  }

  static ValueType<Boolean> bool() {
    return new ValueType<>(
        SettingKey.Kind.BOOLEAN,
        "true or false",
        List.of(),
        "",
        0,
        0,
        text ->
            switch (text) {
              case "true" -> true;
              case "false" -> false;
              default -> throw new IllegalArgumentException("");
            },
        value -> Boolean.toString(value),
        value -> true);
  }

  static <E extends Enum<E>> ValueType<E> choice(Class<E> type) {
    List<String> texts = Arrays.stream(type.getEnumConstants()).map(ValueType::lower).toList();
    return new ValueType<>(
        SettingKey.Kind.TEXT,
        String.join(", ", texts).replaceFirst(", ([^,]*)$", " or $1"),
        texts,
        "",
        0,
        0,
        text -> {
          int index = texts.indexOf(text);
          if (index < 0) {
            throw new IllegalArgumentException("");
          }
          return type.getEnumConstants()[index];
        },
        ValueType::lower,
        value -> true);
  }

  static ValueType<String> name() {
    return plain("1 to 64 letters, digits, '.', '_' or '-'", NAME);
  }

  static ValueType<String> host() {
    return plain("a host name or an IP address", HOST);
  }

  static ValueType<List<String>> addresses() {
    return new ValueType<>(
        SettingKey.Kind.TEXT_LIST,
        "a list of at most " + MAX_LIST + " host:port",
        List.of(),
        ADDRESS.pattern(),
        0,
        0,
        text -> text.isEmpty() ? List.of() : List.of(text.split(" *, *", -1)),
        value -> String.join(",", value),
        value -> value.size() <= MAX_LIST && value.stream().allMatch(ValueType::isAddress));
  }

  static ValueType<List<String>> tenants() {
    return new ValueType<>(
        SettingKey.Kind.TEXT_LIST,
        "a list of at most 256 NAME or NAME:GROUP, a name of 1 to 63 letters, digits, '.', '_' or"
            + " '-'",
        List.of(),
        TENANT.pattern(),
        0,
        0,
        text -> text.isEmpty() ? List.of() : List.of(text.split(" *, *", -1)),
        value -> String.join(",", value),
        value ->
            value.size() <= 256 && value.stream().allMatch(one -> TENANT.matcher(one).matches()));
  }

  static ValueType<Path> path() {
    return text(
        "a path", "", ValueType::parsePath, Path::toString, value -> !value.toString().isEmpty());
  }

  static ValueType<Path> socketPath() {
    return text(
        "a path of at most " + MAX_SOCKET_PATH_BYTES + " bytes",
        "",
        ValueType::parsePath,
        Path::toString,
        value -> {
          int length = value.toString().getBytes(StandardCharsets.UTF_8).length;
          return length > 0 && length <= MAX_SOCKET_PATH_BYTES;
        });
  }

  private static ValueType<String> plain(String allowed, Pattern pattern) {
    return text(
        allowed,
        pattern.pattern(),
        Function.identity(),
        Function.identity(),
        value -> pattern.matcher(value).matches());
  }

  private static <T> ValueType<T> text(
      String allowed,
      String pattern,
      Function<String, T> parser,
      Function<T, String> formatter,
      Predicate<T> fits) {
    return new ValueType<>(
        SettingKey.Kind.TEXT, allowed, List.of(), pattern, 0, 0, parser, formatter, fits);
  }

  private static boolean isAddress(String text) {
    var matcher = ADDRESS.matcher(text);
    if (!matcher.matches()) {
      return false;
    }
    int port = Integer.parseInt(matcher.group(2));
    return port >= 1 && port <= 65_535;
  }

  private static Path parsePath(String text) {
    try {
      return Path.of(text);
    } catch (InvalidPathException invalid) {
      throw new IllegalArgumentException("", invalid);
    }
  }

  private static String lower(Enum<?> value) {
    return value.name().toLowerCase(Locale.ROOT);
  }
}
