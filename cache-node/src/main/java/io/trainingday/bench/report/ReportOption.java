package io.trainingday.bench.report;

import com.fasterxml.jackson.databind.SerializationFeature;
import com.fasterxml.jackson.databind.json.JsonMapper;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** What all benchmarks have in common on the command line: progress, a table, a report. */
public final class ReportOption {
  @Spec(Spec.Target.MIXEE)
  private @Nullable CommandSpec spec;

  @Option(
      names = "--report",
      paramLabel = "FILE",
      description = "write the numbers as JSON to this file")
  private @Nullable Path report;

  /** Made by picocli. */
  public ReportOption() {}

  /**
   * Checks it, before anything is measured.
   *
   * @throws ParameterException in words
   */
  public void check() {
    if (report != null) {
      Path folder = report.toAbsolutePath().getParent();
      if (Files.isDirectory(report) || folder == null || !Files.isWritable(folder)) {
        throw wrong(
            "--report=%s cannot be written; give a file in a folder that exists and is writable"
                .formatted(report));
      }
    }
  }

  /** Refuses a number outside its range. */
  public void checkRange(String option, long value, long min, long max) {
    if (value < min || value > max) {
      throw wrong(String.format(Locale.ROOT, "%s=%d is outside %d..%,d", option, value, min, max));
    }
  }

  /** What refuses an option, in words. */
  public ParameterException wrong(String message) {
    return new ParameterException(commandLine(), message);
  }

  /** Says what goes on. */
  public void progress(String line) {
    PrintWriter err = commandLine().getErr();
    err.println(line);
    err.flush();
  }

  /**
   * Prints what a run gave, and writes the report.
   *
   * @param table for people
   * @param result for programs
   */
  public void finish(String table, Object result) throws IOException {
    commandLine().getOut().print(table);
    commandLine().getOut().flush();
    if (report != null) {
      new JsonMapper()
          .writer(SerializationFeature.INDENT_OUTPUT)
          .writeValue(report.toFile(), result);
    }
  }

  private CommandLine commandLine() {
    if (spec == null) {
      throw new IllegalStateException("runs under picocli only");
    }
    return spec.commandLine();
  }
}
