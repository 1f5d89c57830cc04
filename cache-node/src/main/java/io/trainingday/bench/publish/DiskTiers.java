package io.trainingday.bench.publish;

import io.trainingday.bench.client.TemporaryDirectory;
import io.trainingday.config.SettingKey;
import io.trainingday.config.Settings;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/** Directories for the disk tiers of a grid, if it is to have any; removed when closed. */
final class DiskTiers implements AutoCloseable {
  private final @Nullable TemporaryDirectory directory;

  private DiskTiers(@Nullable TemporaryDirectory directory) {
    this.directory = directory;
  }

  static DiskTiers below(@Nullable Path parent) throws IOException {
    return new DiskTiers(
        parent == null ? null : TemporaryDirectory.in(Files.createDirectories(parent)));
  }

  void set(int number, Settings.Builder node) {
    if (directory != null) {
      node.set(SettingKey.DISK_PATH, directory.path().resolve("node-" + number));
    }
  }

  @Override
  public void close() {
    if (directory != null) {
      directory.close();
    }
  }
}
