package io.trainingday.cli;

import java.io.PrintWriter;
import java.util.Locale;

/** Progress: one line that changes on a terminal, else a new one for each twentieth. */
final class WarmLine {
  private static final int BAR = 20;

  private final PrintWriter err;
  private final boolean terminal;
  private int shownTwentieth = -1;
  private boolean open;

  WarmLine(PrintWriter err, boolean terminal) {
    this.err = err;
    this.terminal = terminal;
  }

  void show(WarmWatch watch) {
    int twentieth = (int) (watch.percent() * BAR / 100);
    if (terminal) {
      String bar = "#".repeat(twentieth) + " ".repeat(BAR - twentieth);
      err.print(String.format(Locale.ROOT, "\r[%s] %s ", bar, watch.text()));
      err.flush();
      open = true;
    } else if (twentieth != shownTwentieth) {
      err.println(watch.text());
      err.flush();
      shownTwentieth = twentieth;
    }
  }

  void end() {
    if (open) {
      err.println();
      err.flush();
    }
  }
}
