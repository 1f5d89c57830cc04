package io.trainingday.processes;

import io.trainingday.config.DataSize;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/** What Linux says of the host's memory. */
public final class HostMemory {
  private static final Path MEMINFO = Path.of("/proc/meminfo");
  private static final Pattern AVAILABLE = Pattern.compile("MemAvailable:\\s+(\\d+) kB");

  private HostMemory() {}

  /** What new programs can take without swapping; empty where nobody says. */
  public static Optional<DataSize> available() {
    try (Stream<String> lines = Files.lines(MEMINFO)) {
      return lines
          .map(AVAILABLE::matcher)
          .filter(line -> line.matches())
          .map(line -> DataSize.ofKiB(Long.parseLong(line.group(1))))
          .findFirst();
    } catch (IOException unknown) {
      return Optional.empty();
    }
  }
}
