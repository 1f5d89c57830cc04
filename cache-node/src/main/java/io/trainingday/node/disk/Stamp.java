package io.trainingday.node.disk;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;

/**
 * What a directory says about itself: the format of its files, the grid they belong to and into how
 * many partitions that grid is divided, which is part of every key.
 */
final class Stamp {
  private static final String NAME = "training-day-disk";
  private static final String FORMAT_KEY = "format";
  private static final String FORMAT = "1";

  private Stamp() {}

  /**
   * Checks the stamp, or sets it on a directory that holds nothing yet.
   *
   * @throws DiskRefusedException when the directory belongs to something else
   */
  static void check(DiskOptions options) throws IOException {
    Path directory = options.directory();
    Path file = directory.resolve(NAME);
    Map<String, String> wanted = new LinkedHashMap<>();
    wanted.put(FORMAT_KEY, FORMAT);
    wanted.put("grid", options.grid());
    wanted.put("partitions", Integer.toString(options.partitions()));
    if (!Files.exists(file)) {
      refuseForeign(directory);
      write(file, wanted);
      return;
    }
    Map<String, String> found = read(file);
    for (Map.Entry<String, String> field : wanted.entrySet()) {
      String value = found.getOrDefault(field.getKey(), "(nothing)");
      if (!value.equals(field.getValue())) {
        throw new DiskRefusedException(
            "disk directory=%s has %s=%s, allowed: %s; give another directory, or empty this one"
                    .formatted(directory, field.getKey(), value, field.getValue())
                + (field.getKey().equals(FORMAT_KEY)
                    ? ", or take the version of training-day that wrote it"
                    : ", or set " + field.getKey() + " back"));
      }
    }
  }

  private static void refuseForeign(Path directory) throws IOException {
    try (Stream<Path> files = Files.list(directory)) {
      List<Path> others =
          files
              .filter(file -> !DirectoryLock.isLock(file) && !file.endsWith(temporary()))
              // A file system of its own has this in its root.
              .filter(file -> !file.endsWith("lost+found"))
              .limit(1)
              .toList();
      if (!others.isEmpty()) {
        throw new DiskRefusedException(
            "disk directory=%s holds %s, allowed: an empty directory or one that a node filled;"
                    .formatted(directory, others.get(0).getFileName())
                + " give another directory, or empty this one");
      }
    }
  }

  private static String temporary() {
    return NAME + ".new";
  }

  private static void write(Path file, Map<String, String> fields) throws IOException {
    StringBuilder text = new StringBuilder();
    fields.forEach((key, value) -> text.append(key).append('=').append(value).append('\n'));
    Path whole = file.resolveSibling(temporary());
    Files.writeString(whole, text, StandardCharsets.UTF_8);
    Files.move(whole, file, StandardCopyOption.ATOMIC_MOVE);
  }

  private static Map<String, String> read(Path file) throws IOException {
    Map<String, String> fields = new LinkedHashMap<>();
    for (String line : Files.readString(file, StandardCharsets.UTF_8).split("\n", -1)) {
      int equals = line.indexOf('=');
      if (equals > 0) {
        fields.put(line.substring(0, equals), line.substring(equals + 1));
      }
    }
    return fields;
  }
}
