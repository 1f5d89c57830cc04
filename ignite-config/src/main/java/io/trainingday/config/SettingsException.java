package io.trainingday.config;

import java.util.List;
import java.util.stream.Collectors;

/** Settings that cannot be used; its message lists every problem found, one a line. */
public final class SettingsException extends RuntimeException {
  private static final long serialVersionUID = 1L;
  private static final int SHOWN = 100;

  private final transient List<Problem> problems;

  /**
   * @param source what was read: a file's name, or "settings"
   * @param problems all that is wrong with it, at least one
   */
  public SettingsException(String source, List<Problem> problems) {
    super(message(source, problems));
    this.problems = List.copyOf(problems);
  }

  /** Everything that is wrong, in the order it was found. */
  public List<Problem> problems() {
    return problems;
  }

  private static String message(String source, List<Problem> problems) {
    String count = problems.size() == 1 ? "1 problem" : problems.size() + " problems";
    String lines =
        problems.stream().limit(SHOWN).map(p -> "\n  " + p).collect(Collectors.joining());
    int hidden = problems.size() - SHOWN;
    return source + ": " + count + lines + (hidden > 0 ? "\n  and " + hidden + " more" : "");
  }

  /**
   * One thing that is wrong.
   *
   * @param key the dotted key, the environment variable, or what else holds the value
   * @param value what was found there, cut to 120 characters
   * @param allowed what may be there: a description, or a relation such as {@code <=
   *     memory.maxSize=2GiB}, which the text shows as broken
   * @param hint what to do, for example the nearest known key
   */
  public record Problem(String key, String value, String allowed, String hint) {
    private static final int MAX_CHARS = 120;

    public Problem {
      key = shown(key);
      value = shown(value);
    }

    @Override
    public String toString() {
      String found = key + "=" + value;
      String verdict =
          switch (allowed.substring(0, Math.min(3, allowed.length()))) {
            case "<= " -> " > " + allowed.substring(3);
            case ">= " -> " < " + allowed.substring(3);
            case "<> " -> " = " + allowed.substring(3);
            default -> ", allowed: " + allowed;
          };
      return found + verdict + (hint.isEmpty() ? "" : ", " + hint);
    }

    private static String shown(String text) {
      boolean cut = text.length() > MAX_CHARS;
      String start = cut ? text.substring(0, MAX_CHARS) : text;
      StringBuilder clean = new StringBuilder(start.length());
      start.codePoints().forEach(c -> clean.appendCodePoint(Character.isISOControl(c) ? ' ' : c));
      return cut ? clean + "..." : clean.toString();
    }
  }
}
