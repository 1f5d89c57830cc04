package io.trainingday.node.disk;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.rocksdb.NativeLibraryLoader;
import org.rocksdb.RocksDB;

/**
 * Loads RocksDB's native library, once.
 *
 * <p>By itself RocksDB unpacks its 17 MB to the temporary directory and removes them when the JVM
 * ends in order, so every kill would leave them there. A library that is loaded needs no name in
 * the file system: it goes at once.
 */
final class NativeLibrary {
  private static boolean loaded;

  private NativeLibrary() {}

  /**
   * @throws DiskRefusedException when it cannot be loaded
   */
  static synchronized void load() {
    if (loaded) {
      return;
    }
    try {
      Path directory = Files.createTempDirectory("training-day-rocksdb");
      try {
        NativeLibraryLoader.getInstance().loadLibrary(directory.toString());
        RocksDB.loadLibrary();
      } finally {
        delete(directory);
      }
    } catch (IOException | UnsatisfiedLinkError failure) {
      throw new DiskRefusedException(
          "RocksDB's native library cannot be loaded from java.io.tmpdir=%s: %s; give a directory"
                  .formatted(System.getProperty("java.io.tmpdir"), failure.getMessage())
              + " with 32MiB free that is not mounted noexec",
          failure);
    }
    loaded = true;
  }

  private static void delete(Path directory) throws IOException {
    try (Stream<Path> files = Files.list(directory)) {
      List<Path> found = files.toList();
      for (Path file : found) {
        Files.delete(file);
      }
    }
    Files.delete(directory);
  }
}
