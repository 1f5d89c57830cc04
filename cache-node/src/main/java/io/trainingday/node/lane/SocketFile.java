package io.trainingday.node.lane;

import java.io.Closeable;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import org.jspecify.annotations.Nullable;

/**
 * The right to listen on one Unix socket path, from {@link #claim} until {@link #close}.
 *
 * <p>The right is a lock on a file beside the socket, which the kernel lets go when its process
 * ends however it ends. So a socket file without a locked neighbour is stale and is taken over.
 */
final class SocketFile implements Closeable {
  /** Bytes of a path in {@code sockaddr_un} on Linux, without the closing zero. */
  private static final int MAX_PATH_BYTES = 107;

  private final Path path;
  private final LockFile lockFile;

  private SocketFile(Path path, LockFile lockFile) {
    this.path = path;
    this.lockFile = lockFile;
  }

  /**
   * Takes the path, creating its directory for this user alone where it does not exist.
   *
   * @param setting what named the path, for messages
   * @throws LaneStartException when another node has it, something else is there, or it cannot be
   *     used
   */
  static SocketFile claim(String setting, Path socket) {
    Path path = socket.toAbsolutePath().normalize();
    int bytes = path.toString().getBytes(StandardCharsets.UTF_8).length;
    if (bytes > MAX_PATH_BYTES) {
      throw new LaneStartException(
          "%s=%s has %d bytes > %d, the most a Unix socket's path may have; give a shorter one"
              .formatted(setting, path, bytes, MAX_PATH_BYTES));
    }
    LockFile lockFile = null;
    try {
      createDirectory(path);
      Path lock = path.resolveSibling(path.getFileName() + ".lock");
      lockFile = LockFile.tryHold(lock);
      if (lockFile == null) {
        throw new LaneStartException(
            "%s=%s is served by another cache node%s; stop that one, attach to it, or give this one another lane.socket"
                .formatted(setting, path, owner(lock)));
      }
      lockFile.sign();
      removeStale(setting, path);
      return new SocketFile(path, lockFile);
    } catch (IOException e) {
      closeQuietly(lockFile, e);
      throw new LaneStartException(
          "%s=%s cannot be used: %s; give a path in a directory this user may write"
              .formatted(setting, path, reason(e)),
          e);
    } catch (LaneStartException e) {
      closeQuietly(lockFile, e);
      throw e;
    }
  }

  Path path() {
    return path;
  }

  /** Removes the socket file and gives the path free. */
  @Override
  public void close() throws IOException {
    try (lockFile) {
      Files.deleteIfExists(path);
    }
  }

  private static void createDirectory(Path path) throws IOException {
    Path directory = path.getParent();
    if (directory != null && !Files.isDirectory(directory)) {
      Files.createDirectories(
          directory,
          PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------")));
    }
  }

  private static void removeStale(String setting, Path path) throws IOException {
    if (!Files.exists(path, LinkOption.NOFOLLOW_LINKS)) {
      return;
    }
    int mode = (int) Files.getAttribute(path, "unix:mode", LinkOption.NOFOLLOW_LINKS);
    boolean socket = (mode & 0170000) == 0140000;
    if (!socket) {
      throw new LaneStartException(
          "%s=%s exists and is no socket; it is left alone, give another path"
              .formatted(setting, path));
    }
    Files.delete(path);
  }

  private static String owner(Path lock) throws IOException {
    String pid = LockFile.owner(lock);
    return pid.isEmpty() ? "" : " (process " + pid + ")";
  }

  private static String reason(IOException e) {
    return e.getClass().getSimpleName() + " " + e.getMessage();
  }

  private static void closeQuietly(@Nullable LockFile lockFile, Exception cause) {
    try {
      if (lockFile != null) {
        lockFile.close();
      }
    } catch (IOException e) {
      cause.addSuppressed(e);
    }
  }
}
