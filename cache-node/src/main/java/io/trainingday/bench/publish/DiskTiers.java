package io.trainingday.bench.publish;

import io.trainingday.config.SettingKey;
import io.trainingday.config.Settings;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.List;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/** Directories for the disk tiers of a grid, if it is to have any; removed when closed. */
final class DiskTiers implements AutoCloseable {
  private final @Nullable Path directory;

  private DiskTiers(@Nullable Path directory) {
    this.directory = directory;
  }

  static DiskTiers below(@Nullable Path parent) throws IOException {
    return new DiskTiers(
        parent == null
            ? null
            : Files.createTempDirectory(Files.createDirectories(parent), "bench-publish-"));
  }

  void set(int number, Settings.Builder node) {
    if (directory != null) {
      node.set(SettingKey.DISK_PATH, directory.resolve("node-" + number));
    }
  }

  @Override
  public void close() throws IOException {
    if (directory != null) {
      List<Path> all;
      try (Stream<Path> walk = Files.walk(directory)) {
        all = walk.sorted(Comparator.reverseOrder()).toList();
      }
      for (Path path : all) {
        Files.delete(path);
      }
    }
  }
}
