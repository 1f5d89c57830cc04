package io.trainingday.bench.report;

import com.fasterxml.jackson.databind.SerializationFeature;
import io.trainingday.answer.Output;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/**
 * What all benchmarks have in common on the command line: progress, and a table or JSON, printed or
 * in a file. Of both the names of the result's components are the keys.
 */
public final class ReportOption {
  @Spec(Spec.Target.MIXEE)
  private @Nullable CommandSpec spec;

  @Option(
      names = "--report",
      paramLabel = "FILE",
      description = "write the numbers as JSON to this file too")
  private @Nullable Path report;

  @Mixin private Output output = new Output();

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
    output.print(result, () -> table);
    if (report != null) {
      Output.MAPPER.writer(SerializationFeature.INDENT_OUTPUT).writeValue(report.toFile(), result);
    }
  }

  private CommandLine commandLine() {
    if (spec == null) {
      throw new IllegalStateException("runs under picocli only");
    }
    return spec.commandLine();
  }
}
