package io.trainingday.bench.measure;

import com.fasterxml.jackson.databind.SerializationFeature;
import com.fasterxml.jackson.databind.json.JsonMapper;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Function;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** What benchmarks have in common on the command line: rounds, progress, the table, the report. */
public final class BenchOptions {
  private static final int MAX_ROUNDS = 100;
  private static final long MIN_SLICE_MILLIS = 10;
  private static final long MAX_SLICE_MILLIS = 10_000;

  @Spec(Spec.Target.MIXEE)
  private @Nullable CommandSpec spec;

  @Option(
      names = "--report",
      paramLabel = "FILE",
      description = "write the numbers as JSON to this file")
  private @Nullable Path report;

  @Option(
      names = "--rounds",
      paramLabel = "N",
      defaultValue = "7",
      description = "how often each path takes its turn (default: ${DEFAULT-VALUE})")
  private int rounds;

  @Option(
      names = "--slice",
      paramLabel = "MILLIS",
      defaultValue = "250",
      description = "how long a turn takes (default: ${DEFAULT-VALUE})")
  private long sliceMillis;

  @Option(
      names = "--paths",
      paramLabel = "PATH,...",
      split = ",",
      description = "measure these only (default: all)")
  private String @Nullable [] paths;

  /** Made by picocli. */
  public BenchOptions() {}

  /**
   * Checks them, before anything is measured.
   *
   * @throws ParameterException in words
   */
  public void check() {
    checkRange("--rounds", rounds, 1, MAX_ROUNDS);
    checkRange("--slice", sliceMillis, MIN_SLICE_MILLIS, MAX_SLICE_MILLIS);
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
      throw wrong("%s=%d is outside %d..%,d".formatted(option, value, min, max));
    }
  }

  /**
   * The paths to measure.
   *
   * @param all there are, by what they are called
   * @param obstacle why a path cannot be measured here, empty if it can
   * @param skipped takes those that were left out for it, because nobody asked for them by name
   * @throws ParameterException in words
   */
  public <K> List<K> paths(
      List<K> all, Function<K, String> obstacle, List<Report.Skipped> skipped) {
    List<K> chosen = new ArrayList<>();
    if (paths == null) {
      for (K kind : all) {
        String against = obstacle.apply(kind);
        if (against.isEmpty()) {
          chosen.add(kind);
        } else {
          skipped.add(new Report.Skipped(kind.toString(), against));
        }
      }
      return chosen;
    }
    for (String path : paths) {
      K kind =
          all.stream()
              .filter(one -> one.toString().equals(path))
              .findFirst()
              .orElseThrow(
                  () ->
                      wrong(
                          "--paths=%s is none of %s"
                              .formatted(
                                  path,
                                  all.stream()
                                      .map(Object::toString)
                                      .collect(Collectors.joining(", ")))));
      String against = obstacle.apply(kind);
      if (!against.isEmpty()) {
        throw wrong("--paths=%s cannot be measured: %s".formatted(path, against));
      }
      if (chosen.contains(kind)) {
        throw wrong("--paths=%s stands there twice".formatted(path));
      }
      chosen.add(kind);
    }
    return chosen;
  }

  /** What refuses an option, in words. */
  public ParameterException wrong(String message) {
    return new ParameterException(commandLine(), message);
  }

  public int rounds() {
    return rounds;
  }

  public long sliceMillis() {
    return sliceMillis;
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
