package io.trainingday.cli;

import java.io.IOException;
import java.io.PrintWriter;
import java.util.Locale;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/**
 * Asks before something is done that costs. Mixed into every verb that makes what is cached
 * useless, or takes a node away.
 */
final class Consent {
  private static final Set<String> YES = Set.of("y", "yes");

  @Spec(Spec.Target.MIXEE)
  private @Nullable CommandSpec command;

  @Option(names = "--yes", description = "do not ask; needed where there is no terminal")
  private boolean yes;

  /** Whether nobody has to be asked. */
  boolean isGiven() {
    return yes;
  }

  /**
   * Returns when it may be done.
   *
   * @param consequence half a sentence, as "would make 4 samples stale"
   * @throws ExitException {@link Exit#UNCONFIRMED} when it may not
   */
  void require(String consequence) {
    if (yes) {
      return;
    }
    Terminal terminal = ((Main) spec().root().userObject()).terminal();
    if (!terminal.canAsk()) {
      throw new ExitException(
          Exit.UNCONFIRMED,
          "this %s, and there is no terminal to ask at; add --yes".formatted(consequence));
    }
    PrintWriter err = spec().commandLine().getErr();
    err.print("This " + consequence + "; go on? [y/N] ");
    err.flush();
    String answer;
    try {
      answer = terminal.answer();
    } catch (IOException e) {
      answer = null;
    }
    if (answer == null || !YES.contains(answer.strip().toLowerCase(Locale.ROOT))) {
      throw new ExitException(Exit.UNCONFIRMED, "nothing was done");
    }
  }

  private CommandSpec spec() {
    if (command == null) {
      throw new IllegalStateException("runs under picocli only");
    }
    return command;
  }
}
