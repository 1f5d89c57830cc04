package io.trainingday.bench.pressure;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Holds a process to so much memory, by a control group of its own where one can be made; else it
 * only watches what the process has resident.
 */
final class MemoryLimit implements AutoCloseable {
  private static final Path V1 = Path.of("/sys/fs/cgroup/memory");
  private static final Path V2 = Path.of("/sys/fs/cgroup");
  private static final Pattern PEAK = Pattern.compile("VmHWM:\\s+(\\d+) kB");

  private final long pid;
  private final Optional<Path> group;
  private final String peakFile;

  private MemoryLimit(long pid, Optional<Path> group, String peakFile) {
    this.pid = pid;
    this.group = group;
    this.peakFile = peakFile;
  }

  static MemoryLimit of(long pid, long limitBytes) {
    String name = "training-day-bench-" + pid;
    try {
      if (Files.exists(V1.resolve("memory.limit_in_bytes"))) {
        Path group = Files.createDirectory(V1.resolve(name));
        Files.writeString(group.resolve("memory.limit_in_bytes"), Long.toString(limitBytes));
        Files.writeString(group.resolve("cgroup.procs"), Long.toString(pid));
        return new MemoryLimit(pid, Optional.of(group), "memory.max_usage_in_bytes");
      }
      if (Files.exists(V2.resolve("cgroup.controllers"))) {
        Path group = Files.createDirectory(V2.resolve(name));
        Files.writeString(group.resolve("memory.max"), Long.toString(limitBytes));
        Files.writeString(group.resolve("cgroup.procs"), Long.toString(pid));
        return new MemoryLimit(pid, Optional.of(group), "memory.peak");
      }
    } catch (IOException notAllowed) {
      return new MemoryLimit(pid, Optional.empty(), "");
    }
    return new MemoryLimit(pid, Optional.empty(), "");
  }

  /** Whether the kernel holds the process to it. */
  boolean isEnforced() {
    return group.isPresent();
  }

  /** The most that the process has had so far; 0 when nobody says. */
  long peakBytes() {
    try {
      if (group.isPresent()) {
        return Long.parseLong(Files.readString(group.get().resolve(peakFile)).strip());
      }
      for (String line : Files.readAllLines(Path.of("/proc/" + pid + "/status"))) {
        Matcher peak = PEAK.matcher(line);
        if (peak.matches()) {
          return Long.parseLong(peak.group(1)) << 10;
        }
      }
    } catch (IOException gone) {
      return 0;
    }
    return 0;
  }

  /** Removes the group; its process has ended. */
  @Override
  public void close() {
    group.ifPresent(directory -> directory.toFile().delete());
  }
}
