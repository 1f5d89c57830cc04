package io.trainingday.node.disk;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.HashSet;
import java.util.Set;

/**
 * One process's claim to a directory; the kernel ends it when the process ends however it ends.
 *
 * <p>Closing any channel of a file gives up all locks the process has on it. So a file that this
 * process holds must not be opened again, and those held are known here.
 */
final class DirectoryLock implements AutoCloseable {
  private static final String NAME = "lock";

  // Guarded by itself.
  private static final Set<Path> HELD = new HashSet<>();

  private final Path file;
  private final FileChannel channel;

  private DirectoryLock(Path file, FileChannel channel) {
    this.file = file;
    this.channel = channel;
  }

  /**
   * @throws DiskRefusedException when the directory is claimed already
   * @throws IOException when it cannot be written to
   */
  static DirectoryLock claim(Path directory) throws IOException {
    Path file = directory.toRealPath().resolve(NAME);
    synchronized (HELD) {
      if (HELD.contains(file)) {
        throw inUse(directory, Long.toString(ProcessHandle.current().pid()));
      }
      FileChannel channel =
          FileChannel.open(
              file, StandardOpenOption.CREATE, StandardOpenOption.READ, StandardOpenOption.WRITE);
      try {
        if (channel.tryLock() == null) {
          throw inUse(directory, Files.readString(file, StandardCharsets.US_ASCII));
        }
        sign(channel);
      } catch (IOException | RuntimeException failure) {
        try (channel) {
          throw failure;
        }
      }
      HELD.add(file);
      return new DirectoryLock(file, channel);
    }
  }

  /** Who holds it, for the one who finds it held. On a full disk nobody is named. */
  private static void sign(FileChannel channel) throws IOException {
    channel.truncate(0);
    try {
      byte[] pid = Long.toString(ProcessHandle.current().pid()).getBytes(StandardCharsets.US_ASCII);
      channel.write(ByteBuffer.wrap(pid), 0);
    } catch (IOException full) {
      channel.truncate(0);
    }
  }

  static boolean isLock(Path file) {
    return file.endsWith(NAME);
  }

  private static DiskRefusedException inUse(Path directory, String process) {
    return new DiskRefusedException(
        "disk directory=%s is used by process %s, allowed: one node a directory; stop that one or"
                .formatted(directory, process.isEmpty() ? "(unknown)" : process)
            + " give another directory");
  }

  @Override
  public void close() throws IOException {
    synchronized (HELD) {
      HELD.remove(file);
      channel.close();
    }
  }
}
