package io.trainingday.node.lane;

import io.trainingday.lane.LaneException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.MappedByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.DirectoryStream;
import java.nio.file.FileStore;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.FileAttribute;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.atomic.AtomicLong;
import java.util.stream.Stream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Makes the shared-memory segments of this node, within a budget, in a directory of its own.
 *
 * <p>Layout: {@code <segmentDirectory>/training-day-<uid>/node-<random>/}, with a {@code lock} file
 * that the node holds locked while it lives. A directory whose lock is free belonged to a node that
 * crashed and is swept at the next start of any node of this user.
 *
 * <p>All methods may be called from any thread.
 */
final class Segments implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(Segments.class);
  private static final FileAttribute<Set<PosixFilePermission>> PRIVATE =
      PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------"));
  private static final int RESERVE_CHUNK_BYTES = 1 << 20;

  private final Path directory;
  private final LockFile lockFile;
  private final long maxBytes;
  private final long maxBytesPerConnection;
  private final AtomicLong bytes = new AtomicLong();
  private final AtomicLong lastId = new AtomicLong();

  private Segments(Path directory, LockFile lockFile, long maxBytes, long maxBytesPerConnection) {
    this.directory = directory;
    this.lockFile = lockFile;
    this.maxBytes = maxBytes;
    this.maxBytesPerConnection = maxBytesPerConnection;
  }

  /**
   * Prepares the directory and sweeps what crashed nodes left.
   *
   * @param segmentDirectory must be on a tmpfs: elsewhere every write would go to a disk
   * @throws LaneStartException when it is none or cannot be used
   */
  static Segments open(Path segmentDirectory, long maxBytes, long maxBytesPerConnection) {
    try {
      requireTmpfs(segmentDirectory);
      int uid = (int) Files.getAttribute(Path.of("/proc/self"), "unix:uid");
      Path base = segmentDirectory.resolve("training-day-" + uid);
      if (!Files.isDirectory(base, LinkOption.NOFOLLOW_LINKS)) {
        Files.createDirectory(base, PRIVATE);
      }
      if ((int) Files.getAttribute(base, "unix:uid", LinkOption.NOFOLLOW_LINKS) != uid) {
        throw new LaneStartException(
            "lane.segmentDirectory=%s: %s belongs to another user; remove it or give another directory"
                .formatted(segmentDirectory, base));
      }
      // The lock keeps out other processes, the monitor other threads of this one.
      synchronized (Segments.class) {
        try (FileChannel guard =
            FileChannel.open(
                base.resolve("lock"), StandardOpenOption.CREATE, StandardOpenOption.WRITE)) {
          guard.lock();
          sweep(base);
          Path own = Files.createDirectory(base.resolve("node-" + UUID.randomUUID()), PRIVATE);
          LockFile lockFile = LockFile.tryHold(own.resolve("lock"));
          if (lockFile == null) {
            throw new IllegalStateException(own + " is new, yet somebody has locked it");
          }
          return new Segments(own, lockFile, maxBytes, maxBytesPerConnection);
        }
      }
    } catch (IOException e) {
      throw new LaneStartException(
          "lane.segmentDirectory=%s cannot be used: %s %s; give a tmpfs this user may write"
              .formatted(segmentDirectory, e.getClass().getSimpleName(), e.getMessage()),
          e);
    }
  }

  /**
   * Creates and maps one segment, every byte of it reserved, or refuses in words.
   *
   * @param connectionBytes bytes the asking connection has already
   * @throws LaneException NO_SEGMENT when the budget, the connection's share or the tmpfs is used
   *     up
   */
  Segment create(long slotBytes, int slots, long connectionBytes) {
    long size = Math.multiplyHigh(slotBytes, slots) == 0 ? slotBytes * slots : Long.MAX_VALUE;
    if (size < 0
        || size > Integer.MAX_VALUE - connectionBytes
        || size + connectionBytes > maxBytesPerConnection) {
      throw refusal(
          "%d slots of %d bytes beside %d bytes this connection has > lane.slots.maxBytesPerConnection=%d"
              .formatted(slots, slotBytes, connectionBytes, maxBytesPerConnection));
    }
    if (bytes.addAndGet(size) > maxBytes) {
      bytes.addAndGet(-size);
      throw refusal(
          "%d slots of %d bytes beside %d bytes in use > lane.slots.maxBytes=%d"
              .formatted(slots, slotBytes, bytes.get(), maxBytes));
    }
    Path file = directory.resolve("segment-" + lastId.incrementAndGet());
    try (FileChannel channel =
        FileChannel.open(
            file,
            Set.of(
                StandardOpenOption.CREATE_NEW, StandardOpenOption.READ, StandardOpenOption.WRITE),
            PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-rw----")))) {
      reserve(channel, size);
      MappedByteBuffer memory = channel.map(FileChannel.MapMode.READ_WRITE, 0, size);
      return new Segment(file, memory, slotBytes, slots, () -> bytes.addAndGet(-size));
    } catch (IOException e) {
      bytes.addAndGet(-size);
      delete(file);
      throw refusal(
          "%d bytes cannot be reserved in lane.segmentDirectory=%s (%s)"
              .formatted(size, directory, e.getMessage()));
    }
  }

  /** Bytes of all segments that live. */
  long bytes() {
    return bytes.get();
  }

  /** Removes the directory. Segments must be closed before. */
  @Override
  public void close() throws IOException {
    try (lockFile) {
      deleteTree(directory);
    }
  }

  /**
   * Writes every page: a sparse file on a full tmpfs is a SIGBUS for whoever touches it, a written
   * one is an error here, in words.
   */
  private static void reserve(FileChannel channel, long size) throws IOException {
    ByteBuffer zeros = ByteBuffer.allocateDirect((int) Math.min(size, RESERVE_CHUNK_BYTES));
    long written = 0;
    while (written < size) {
      zeros.clear().limit((int) Math.min(zeros.capacity(), size - written));
      written += channel.write(zeros, written);
    }
  }

  private static void requireTmpfs(Path segmentDirectory) throws IOException {
    if (!Files.isDirectory(segmentDirectory)) {
      throw new LaneStartException(
          "lane.segmentDirectory=%s is no directory; give a tmpfs such as /dev/shm"
              .formatted(segmentDirectory));
    }
    FileStore store = Files.getFileStore(segmentDirectory);
    if (!store.type().equals("tmpfs")) {
      throw new LaneStartException(
          "lane.segmentDirectory=%s is on %s; slots must lie in memory, give a tmpfs such as /dev/shm"
              .formatted(segmentDirectory, store.type()));
    }
  }

  private static void sweep(Path base) throws IOException {
    try (DirectoryStream<Path> nodes = Files.newDirectoryStream(base, "node-*")) {
      for (Path node : nodes) {
        try (LockFile lock = LockFile.tryHold(node.resolve("lock"))) {
          if (lock != null) {
            deleteTree(node);
            LOG.info("Removed the shared memory a crashed cache node had left in {}", node);
          }
        } catch (NoSuchFileException e) {
          LOG.debug("{} was removed by its own node meanwhile", node, e);
        }
      }
    }
  }

  private static void deleteTree(Path directory) throws IOException {
    try (Stream<Path> files = Files.list(directory)) {
      files.forEach(Segments::delete);
    }
    Files.deleteIfExists(directory);
  }

  static void delete(Path file) {
    try {
      Files.deleteIfExists(file);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static LaneException refusal(String why) {
    return new LaneException(
        LaneException.Code.NO_SEGMENT, "no shared memory: " + why + "; batches come inline");
  }
}
