package io.trainingday.bench.measure;

import io.trainingday.bench.report.Report;
import io.trainingday.bench.report.ReportOption;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Function;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;

/** How paths are measured side by side, on the command line. */
public final class SideBySideOptions {
  private static final int MAX_ROUNDS = 100;
  private static final long MIN_SLICE_MILLIS = 10;
  private static final long MAX_SLICE_MILLIS = 10_000;

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
  public SideBySideOptions() {}

  /**
   * Checks them, before anything is measured.
   *
   * @param command to refuse with
   * @throws ParameterException in words
   */
  public void check(ReportOption command) {
    command.checkRange("--rounds", rounds, 1, MAX_ROUNDS);
    command.checkRange("--slice", sliceMillis, MIN_SLICE_MILLIS, MAX_SLICE_MILLIS);
  }

  /**
   * The paths to measure.
   *
   * @param command to refuse with
   * @param all there are, by what they are called
   * @param obstacle why a path cannot be measured here, empty if it can
   * @param skipped takes those that were left out for it, because nobody asked for them by name
   * @throws ParameterException in words
   */
  public <K> List<K> paths(
      ReportOption command,
      List<K> all,
      Function<K, String> obstacle,
      List<Report.Skipped> skipped) {
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
                      command.wrong(
                          "--paths=%s is none of %s"
                              .formatted(
                                  path,
                                  all.stream()
                                      .map(Object::toString)
                                      .collect(Collectors.joining(", ")))));
      String against = obstacle.apply(kind);
      if (!against.isEmpty()) {
        throw command.wrong("--paths=%s cannot be measured: %s".formatted(path, against));
      }
      if (chosen.contains(kind)) {
        throw command.wrong("--paths=%s stands there twice".formatted(path));
      }
      chosen.add(kind);
    }
    return chosen;
  }

  public int rounds() {
    return rounds;
  }

  public long sliceMillis() {
    return sliceMillis;
  }
}
