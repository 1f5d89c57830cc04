package io.trainingday.processes;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryStream;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.BasicFileAttributes;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.HashSet;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * The files of one grid: a directory of each node with its socket and its log, and, on the tmpfs
 * for it, a directory for the memory the nodes share with trainers.
 *
 * <pre>
 * training-day-grid-123/
 *   lock                        locked by the process that started the grid, as long as it lives
 *   segments → /dev/shm/training-day-grid-123
 *   1/lock                      locked by the node's process, as long as it lives
 *   1/lane.sock
 *   1/node.log
 *   1/tmp                       its directory for temporary files
 * </pre>
 *
 * <p>{@link #close} removes all of it. Should the process be killed, its nodes end, and the last of
 * them finds every lock free and removes all of it ({@link NodeHome}). Should all be killed at
 * once, the next grid does.
 */
final class GridDirectory implements AutoCloseable {
  private static final String PREFIX = "training-day-grid-";
  private static final String LOCK = "lock";
  private static final String SEGMENTS = "segments";
  private static final String SOCKET = "lane.sock";
  private static final String LOG = "node.log";
  private static final String TEMPORARY = "tmp";
  private static final String FOR_THIS_USER = "rwx------";

  /** Bytes of a path in {@code sockaddr_un} on Linux, without the closing zero. */
  private static final int MAX_SOCKET_BYTES = 107;

  /** Room for the number of a node. */
  private static final String LONGEST_NUMBER = "9999";

  /**
   * The directories of this very process, whose locks it must not even look at: closing any channel
   * of a file gives up all locks the process has on it. Guarded by itself.
   */
  private static final Set<Path> OWN = new HashSet<>();

  private final Path path;
  private final Path segments;
  private final FileChannel lock;

  private GridDirectory(Path path, Path segments, FileChannel lock) {
    this.path = path;
    this.segments = segments;
    this.lock = lock;
  }

  /**
   * Makes a directory of its own, and removes those that others left behind.
   *
   * @param segmentParent a tmpfs
   * @throws ProcessException if there is no place for one
   */
  static GridDirectory temporary(Path segmentParent) {
    Path parent = Path.of(System.getProperty("java.io.tmpdir")).toAbsolutePath();
    if (socketBytes(parent.resolve(PREFIX + Long.MIN_VALUE)) > MAX_SOCKET_BYTES) {
      parent = Path.of("/tmp");
    }
    try {
      sweep(parent);
      return hold(Files.createTempDirectory(parent, PREFIX).toRealPath(), segmentParent);
    } catch (IOException failure) {
      throw new ProcessException(
          "no directory for the sockets can be made in %s: %s".formatted(parent, failure), failure);
    }
  }

  /**
   * Takes a directory that is not there yet, or empty, or left behind by a grid that was killed.
   *
   * @throws ProcessException if it is none of these, or cannot be used
   */
  static GridDirectory at(Path directory, Path segmentParent) {
    Path path = directory.toAbsolutePath().normalize();
    int bytes = socketBytes(path);
    if (bytes > MAX_SOCKET_BYTES) {
      throw new ProcessException(
          "the directory %s makes socket paths of %d bytes > %d, the most a Unix socket's path may have; give a shorter one"
              .formatted(path, bytes, MAX_SOCKET_BYTES));
    }
    try {
      if (Files.exists(path.resolve(LOCK))
          && !removeIfAbandoned(path.toRealPath(), FileLocks::tryHold)) {
        throw new ProcessException(
            "the directory %s is taken by another grid; stop that one, or give another directory"
                .formatted(path));
      }
      if (Files.isDirectory(path)) {
        requireEmpty(path);
      } else {
        Files.createDirectories(
            path,
            PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString(FOR_THIS_USER)));
      }
      return hold(path.toRealPath(), segmentParent);
    } catch (IOException failure) {
      throw new ProcessException(
          "the directory %s cannot be used: %s; give one this user may write"
              .formatted(path, failure),
          failure);
    }
  }

  private static void requireEmpty(Path path) throws IOException {
    try (DirectoryStream<Path> files = Files.newDirectoryStream(path)) {
      if (files.iterator().hasNext()) {
        throw new ProcessException(
            "the directory %s is not empty; it is left alone, give another one".formatted(path));
      }
    }
  }

  private static int socketBytes(Path directory) {
    return directory
        .resolve(LONGEST_NUMBER)
        .resolve(SOCKET)
        .toString()
        .getBytes(StandardCharsets.UTF_8)
        .length;
  }

  private static GridDirectory hold(Path path, Path segmentParent) throws IOException {
    Path unseen = path.resolve(LOCK + ".new");
    FileChannel lock =
        FileChannel.open(unseen, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE);
    try {
      synchronized (OWN) {
        OWN.add(path);
      }
      lock.lock();
      // Whoever sees a lock sees it locked.
      Files.move(unseen, path.resolve(LOCK), StandardCopyOption.ATOMIC_MOVE);
      Path segments = Files.createTempDirectory(segmentParent, PREFIX).toRealPath();
      Files.createSymbolicLink(path.resolve(SEGMENTS), segments);
      return new GridDirectory(path, segments, lock);
    } catch (IOException failure) {
      try (lock) {
        delete(path);
      }
      forget(path);
      throw failure;
    }
  }

  private static void forget(Path path) {
    synchronized (OWN) {
      OWN.remove(path);
    }
  }

  Path path() {
    return path;
  }

  /** Where the nodes make their segments. */
  Path segments() {
    return segments;
  }

  /** The directory of a node, which is made where it is not there. */
  Path node(int number) {
    Path node = path.resolve(Integer.toString(number));
    try {
      Files.createDirectories(node.resolve(TEMPORARY));
      if (Files.notExists(node.resolve(LOCK))) {
        Files.createFile(node.resolve(LOCK));
      }
    } catch (IOException failure) {
      throw new ProcessException(
          "the directory %s cannot be made: %s".formatted(node, failure), failure);
    }
    return node;
  }

  static Path socket(Path node) {
    return node.resolve(SOCKET);
  }

  static Path log(Path node) {
    return node.resolve(LOG);
  }

  static Path temporaryFiles(Path node) {
    return node.resolve(TEMPORARY);
  }

  /** Removes everything. The nodes must have ended. */
  @Override
  public void close() throws IOException {
    try (lock) {
      delete(segments);
      delete(path);
    } finally {
      forget(path);
    }
  }

  /** Removes what grids left behind that were killed with all their nodes. */
  private static void sweep(Path parent) throws IOException {
    try (DirectoryStream<Path> grids = Files.newDirectoryStream(parent, PREFIX + "*")) {
      for (Path grid : grids) {
        if (Files.isWritable(grid) && Files.exists(grid.resolve(LOCK))) {
          removeIfAbandoned(grid.toRealPath(), FileLocks::tryHold);
        }
      }
    }
  }

  /**
   * Removes the directory of a grid if none of its processes lives.
   *
   * @param hold takes the grid's lock, null when somebody else has it
   * @return whether it is gone
   */
  static boolean removeIfAbandoned(Path path, FileLocks.Hold hold) throws IOException {
    synchronized (OWN) {
      if (OWN.contains(path)) {
        return false;
      }
      // Nodes that are only starting find their locks held, and end.
      try (FileLocks locks = new FileLocks()) {
        if (!locks.add(hold.of(path.resolve(LOCK)))) {
          return false;
        }
        try (DirectoryStream<Path> nodes = Files.newDirectoryStream(path, "[0-9]*")) {
          for (Path node : nodes) {
            if (!locks.add(FileLocks.tryHold(node.resolve(LOCK)))) {
              return false;
            }
          }
        }
        Path link = path.resolve(SEGMENTS);
        if (Files.isSymbolicLink(link)) {
          Path segments = Files.readSymbolicLink(link);
          if (String.valueOf(segments.getFileName()).startsWith(PREFIX)) {
            delete(segments);
          }
        }
        delete(path);
        return true;
      } catch (NoSuchFileException removed) {
        return Files.notExists(path); // Another one has just done it.
      }
    }
  }

  private static void delete(Path directory) throws IOException {
    if (Files.notExists(directory)) {
      return;
    }
    Files.walkFileTree(
        directory,
        new SimpleFileVisitor<>() {
          @Override
          public FileVisitResult visitFile(Path file, BasicFileAttributes attributes)
              throws IOException {
            Files.deleteIfExists(file);
            return FileVisitResult.CONTINUE;
          }

          @Override
          public FileVisitResult visitFileFailed(Path file, IOException failure)
              throws IOException {
            if (failure instanceof NoSuchFileException) {
              return FileVisitResult.CONTINUE;
            }
            throw failure;
          }

          @Override
          public FileVisitResult postVisitDirectory(Path visited, @Nullable IOException failure)
              throws IOException {
            if (failure != null) {
              throw failure;
            }
            Files.deleteIfExists(visited);
            return FileVisitResult.CONTINUE;
          }
        });
  }
}
