package io.trainingday.cli;

import java.util.Locale;

/**
 * What {@code publish} and {@code invalidate} answer; the names of the components are the keys.
 *
 * @param generation of the data set from now on
 */
record Published(String dataset, long generation) {
  String text() {
    return String.format(Locale.ROOT, "data set '%s' is at generation %d", dataset, generation);
  }

  /** What is asked about before. */
  static String consequence(long samples, String dataset) {
    return String.format(
        Locale.ROOT,
        "would make %,d %s of data set '%s' stale, each to be loaded again when it is read next",
        samples,
        samples == 1 ? "sample" : "samples",
        dataset);
  }
}
