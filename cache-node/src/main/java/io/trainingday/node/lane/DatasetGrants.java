package io.trainingday.node.lane;

import java.util.List;

/**
 * Which data sets of its tenant a token may do what with. Each list has patterns of their names:
 * {@code *} is any number of any characters, {@code ?} is any one.
 *
 * @param read whose samples may be read
 * @param fill those too, and missing ones put in
 * @param admin which may be published, invalidated and changed
 */
record DatasetGrants(List<String> read, List<String> fill, List<String> admin) {
  private static final List<String> EVERY = List.of("*");

  /** Whatever the roles allow. */
  static final DatasetGrants ALL = new DatasetGrants(EVERY, EVERY, EVERY);

  DatasetGrants {
    read = List.copyOf(read);
    fill = List.copyOf(fill);
    admin = List.copyOf(admin);
  }

  boolean mayRead(String dataset) {
    return matches(read, dataset) || mayFill(dataset);
  }

  boolean mayFill(String dataset) {
    return matches(fill, dataset);
  }

  boolean mayAdminister(String dataset) {
    return matches(admin, dataset);
  }

  private static boolean matches(List<String> patterns, String name) {
    return patterns.stream().anyMatch(pattern -> matches(pattern, name));
  }

  /** In time proportional to the product of both lengths at most, whoever chose the name. */
  static boolean matches(String pattern, String name) {
    int at = 0;
    int star = -1;
    int retry = 0;
    int i = 0;
    while (i < name.length()) {
      char wanted = at < pattern.length() ? pattern.charAt(at) : 0;
      if (at < pattern.length() && wanted == '*') {
        star = at++;
        retry = i;
      } else if (at < pattern.length() && (wanted == '?' || wanted == name.charAt(i))) {
        at++;
        i++;
      } else if (star >= 0) {
        at = star + 1;
        i = ++retry;
      } else {
        return false;
      }
    }
    while (at < pattern.length() && pattern.charAt(at) == '*') {
      at++;
    }
    return at == pattern.length();
  }
}
