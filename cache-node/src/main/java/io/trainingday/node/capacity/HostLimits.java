package io.trainingday.node.capacity;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.OptionalDouble;
import java.util.OptionalLong;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * What Linux says of memory: of this process' control group, where it has a limit, and of the host.
 */
final class HostLimits {
  private static final Pattern TOTAL = Pattern.compile("MemTotal:\\s+(\\d+) kB");
  private static final Pattern AVAILABLE = Pattern.compile("MemAvailable:\\s+(\\d+) kB");
  private static final Pattern INACTIVE_FILE = Pattern.compile("(?:total_)?inactive_file (\\d+)");
  private static final Pattern SOME = Pattern.compile("some avg10=([0-9.]+) .*");

  private final Path root;

  /**
   * @param root of the file system; other than {@code /} in tests
   */
  HostLimits(Path root) {
    this.root = root;
  }

  static HostLimits here() {
    return new HostLimits(Path.of("/"));
  }

  /** Bytes of the host's memory; empty where nobody says. */
  OptionalLong total() {
    return firstMatch(root.resolve("proc/meminfo"), TOTAL, 1L << 10);
  }

  /** Bytes the host can still give without swapping; empty where nobody says. */
  OptionalLong available() {
    return firstMatch(root.resolve("proc/meminfo"), AVAILABLE, 1L << 10);
  }

  /**
   * Bytes the control group can still give, what the kernel can take back from its files included;
   * empty where there is none or nobody says.
   *
   * @param limitBytes of the group
   */
  OptionalLong availableInGroup(long limitBytes) {
    for (Path group : groups()) {
      OptionalLong used = number(group.resolve("memory.current"));
      if (used.isEmpty()) {
        used = number(group.resolve("memory.usage_in_bytes"));
      }
      if (used.isPresent()) {
        long files = firstMatch(group.resolve("memory.stat"), INACTIVE_FILE, 1).orElse(0);
        return OptionalLong.of(limitBytes - used.getAsLong() + files);
      }
    }
    return OptionalLong.empty();
  }

  /**
   * The part of the last ten seconds in which something waited for memory, in percent; 0 where
   * nobody says.
   */
  double pressure() {
    OptionalDouble ofGroup = some(root.resolve("sys/fs/cgroup/memory.pressure"));
    return ofGroup.isPresent()
        ? ofGroup.getAsDouble()
        : some(root.resolve("proc/pressure/memory")).orElse(0);
  }

  private static OptionalDouble some(Path file) {
    try {
      for (String line : Files.readAllLines(file)) {
        Matcher some = SOME.matcher(line);
        if (some.matches()) {
          return OptionalDouble.of(Double.parseDouble(some.group(1)));
        }
      }
      return OptionalDouble.empty();
    } catch (IOException notThere) {
      return OptionalDouble.empty();
    }
  }

  /** Where a container sees its own group. */
  private List<Path> groups() {
    return List.of(root.resolve("sys/fs/cgroup"), root.resolve("sys/fs/cgroup/memory"));
  }

  private static OptionalLong number(Path file) {
    try {
      return OptionalLong.of(Long.parseLong(Files.readString(file).strip()));
    } catch (IOException | NumberFormatException notThere) {
      return OptionalLong.empty();
    }
  }

  private static OptionalLong firstMatch(Path file, Pattern pattern, long unit) {
    try {
      for (String line : Files.readAllLines(file)) {
        Matcher matcher = pattern.matcher(line);
        if (matcher.matches()) {
          return OptionalLong.of(Long.parseLong(matcher.group(1)) * unit);
        }
      }
      return OptionalLong.empty();
    } catch (IOException notThere) {
      return OptionalLong.empty();
    }
  }
}
