package io.trainingday.bench.client;

import io.trainingday.bench.path.BenchException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.List;
import java.util.stream.Stream;

/** A directory that is deleted with everything in it. */
public record TemporaryDirectory(Path path) implements AutoCloseable {
  private static final String PREFIX = "training-day-bench";

  /** One where the system has its temporary files. */
  public static TemporaryDirectory create() {
    try {
      return new TemporaryDirectory(Files.createTempDirectory(PREFIX));
    } catch (IOException failure) {
      throw new BenchException("no temporary directory: " + failure.getMessage(), failure);
    }
  }

  /** One in a directory that is there. */
  public static TemporaryDirectory in(Path parent) {
    try {
      return new TemporaryDirectory(Files.createTempDirectory(parent, PREFIX));
    } catch (IOException failure) {
      throw new BenchException("no directory in %s: %s".formatted(parent, failure), failure);
    }
  }

  @Override
  public void close() {
    try (Stream<Path> files = Files.walk(path)) {
      List<Path> deepestFirst = files.sorted(Comparator.reverseOrder()).toList();
      for (Path file : deepestFirst) {
        Files.delete(file);
      }
    } catch (IOException | UncheckedIOException failure) {
      throw new BenchException("%s stays behind: %s".formatted(path, failure), failure);
    }
  }
}
