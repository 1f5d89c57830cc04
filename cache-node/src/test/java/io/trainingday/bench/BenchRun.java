package io.trainingday.bench;

import java.io.PrintWriter;
import java.io.StringWriter;
import picocli.CommandLine;

/** What a benchmark gave that was run as from the command line. */
public record BenchRun(int exitCode, String out, String err) {
  public static BenchRun of(String... arguments) {
    StringWriter out = new StringWriter();
    StringWriter err = new StringWriter();
    int exitCode =
        new CommandLine(new BenchCommand())
            .setOut(new PrintWriter(out))
            .setErr(new PrintWriter(err))
            .execute(arguments);
    return new BenchRun(exitCode, out.toString(), err.toString());
  }
}
