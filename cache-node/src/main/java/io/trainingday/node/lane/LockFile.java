package io.trainingday.node.lane;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.HashSet;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * A file that this process holds locked; the kernel lets it go when the process ends however it
 * ends.
 *
 * <p>Closing any channel of a file gives up all locks the process has on it. So a file that is held
 * already must not even be opened, and the files held are known here.
 */
final class LockFile implements AutoCloseable {
  private static final Set<PosixFilePermission> OWN = PosixFilePermissions.fromString("rw-------");

  // Guarded by itself.
  private static final Set<Path> HELD = new HashSet<>();

  private final Path key;
  private final FileChannel channel;

  private LockFile(Path key, FileChannel channel) {
    this.key = key;
    this.channel = channel;
  }

  /**
   * Locks the file, which is created where it is not there.
   *
   * @return null when somebody has it locked, this very process included
   */
  static @Nullable LockFile tryHold(Path file) throws IOException {
    Path key = key(file);
    synchronized (HELD) {
      if (HELD.contains(key)) {
        return null;
      }
      FileChannel channel = open(key);
      try {
        if (channel.tryLock() == null) {
          channel.close();
          return null;
        }
      } catch (IOException e) {
        try (channel) {
          throw e;
        }
      }
      HELD.add(key);
      return new LockFile(key, channel);
    }
  }

  /**
   * Opens a file to be locked, which is created where it is not there. Nobody but its user may open
   * it, whatever the umask: a trainer that had it locked would keep nodes from starting.
   */
  static FileChannel open(Path file) throws IOException {
    FileChannel channel =
        FileChannel.open(
            file,
            Set.of(StandardOpenOption.CREATE, StandardOpenOption.READ, StandardOpenOption.WRITE),
            PosixFilePermissions.asFileAttribute(OWN));
    if (!Files.getPosixFilePermissions(file).equals(OWN)) {
      try {
        Files.setPosixFilePermissions(file, OWN);
      } catch (IOException e) {
        try (channel) {
          throw e;
        }
      }
    }
    return channel;
  }

  /** Writes the number of this process for those who find the file held. */
  void sign() throws IOException {
    channel.truncate(0);
    channel.write(
        ByteBuffer.wrap(
            Long.toString(ProcessHandle.current().pid()).getBytes(StandardCharsets.US_ASCII)),
        0);
  }

  /** The number of the process that holds the file, empty when it has not signed it. */
  static String owner(Path file) throws IOException {
    Path key = key(file);
    synchronized (HELD) {
      return HELD.contains(key)
          ? Long.toString(ProcessHandle.current().pid())
          : Files.readString(key, StandardCharsets.US_ASCII);
    }
  }

  private static Path key(Path file) throws IOException {
    Path absolute = file.toAbsolutePath();
    Path directory = absolute.getParent();
    if (directory == null) {
      throw new IOException(file + " is a directory");
    }
    return directory.toRealPath().resolve(absolute.getFileName());
  }

  @Override
  public void close() throws IOException {
    synchronized (HELD) {
      HELD.remove(key);
      channel.close();
    }
  }
}
