package io.trainingday.node;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.List;
import java.util.stream.Stream;

/** A segment directory of one test, so that it sees no other node's files. */
public final class SharedDirectory implements AutoCloseable {
  private final Path path;

  public SharedDirectory() throws IOException {
    path = Files.createTempDirectory(Path.of("/dev/shm"), "training-day-test-");
  }

  public Path path() {
    return path;
  }

  /** The directories of nodes, living or dead. */
  List<Path> nodes() throws IOException {
    return files().stream()
        .filter(file -> file.getFileName().toString().startsWith("node-"))
        .toList();
  }

  /** The segments that still have a name. */
  List<Path> segments() throws IOException {
    return files().stream()
        .filter(file -> file.getFileName().toString().startsWith("segment-"))
        .toList();
  }

  private List<Path> files() throws IOException {
    try (Stream<Path> files = Files.walk(path)) {
      return files.toList();
    }
  }

  @Override
  public void close() throws IOException {
    for (Path file : files().stream().sorted(Comparator.reverseOrder()).toList()) {
      Files.delete(file);
    }
  }
}
