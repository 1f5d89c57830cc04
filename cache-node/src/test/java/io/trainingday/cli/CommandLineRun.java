package io.trainingday.cli;

import java.io.PrintWriter;
import java.io.StringWriter;

/** One command line run in this process, and what it printed. */
record CommandLineRun(int exitCode, String out, String err) {
  static CommandLineRun of(String... args) {
    return at(nobody(), args);
  }

  /** Nobody to ask, however the tests are run. */
  private static Terminal nobody() {
    return new Terminal() {
      @Override
      public boolean canAsk() {
        return false;
      }

      @Override
      public String answer() {
        throw new IllegalStateException("nobody was to be asked");
      }
    };
  }

  /** As if a person were there who answers every question so. */
  static CommandLineRun answering(String answer, String... args) {
    return at(
        new Terminal() {
          @Override
          public boolean canAsk() {
            return true;
          }

          @Override
          public String answer() {
            return answer;
          }
        },
        args);
  }

  private static CommandLineRun at(Terminal terminal, String... args) {
    StringWriter out = new StringWriter();
    StringWriter err = new StringWriter();
    int exitCode = Main.run(new PrintWriter(out), new PrintWriter(err), terminal, args);
    return new CommandLineRun(exitCode, out.toString(), err.toString());
  }
}
