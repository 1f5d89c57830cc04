package io.trainingday.node;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** What the kernel says of the shared memory that this process has mapped, used or not. */
public final class SegmentPages {
  private static final Pattern MAPPING =
      Pattern.compile("[0-9a-f]+-[0-9a-f]+ \\S+ \\S+ \\S+ \\S+ +(/\\S*/segment-\\d+).*");
  private static final Pattern RESIDENT = Pattern.compile("Rss: +(\\d+) kB");

  private SegmentPages() {}

  /**
   * Bytes in memory of each segment that is mapped, by the path it had; 0 for one whose pages are
   * free. A segment that is mapped twice counts twice.
   */
  public static Map<Path, Long> resident() throws IOException {
    Map<Path, Long> bytes = new TreeMap<>();
    Path mapped = null;
    for (String line : Files.readAllLines(Path.of("/proc/self/smaps"))) {
      Matcher mapping = MAPPING.matcher(line);
      Matcher resident = RESIDENT.matcher(line);
      if (mapping.matches()) {
        mapped = Path.of(mapping.group(1));
        bytes.putIfAbsent(mapped, 0L);
      } else if (line.matches("[0-9a-f]+-[0-9a-f]+ .*")) {
        mapped = null;
      } else if (mapped != null && resident.matches()) {
        bytes.merge(mapped, Long.parseLong(resident.group(1)) << 10, Long::sum);
      }
    }
    return bytes;
  }
}
