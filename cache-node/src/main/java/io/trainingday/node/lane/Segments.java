package io.trainingday.node.lane;

import io.trainingday.lane.LaneException;
import io.trainingday.lane.LaneMessage;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.MappedByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.OverlappingFileLockException;
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
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.atomic.AtomicLong;
import java.util.stream.Stream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Makes the shared-memory segments of one tenant, within a budget, in a directory of its own.
 *
 * <p>Layout: {@code <segmentDirectory>/training-day-<uid>/node-<random>/}, or {@code
 * .segments/node-<random>/} beside a tenant's socket, with a {@code lock} file that the node holds
 * locked while it lives. A directory whose lock is free belonged to a node that crashed and is
 * swept at the next start of any node there.
 *
 * <p>Where trainers run as other users, these directories and files have the tenant's group; see
 * {@link TenantDirectory}. It may open a file, and so cut it short. What is mapped here would then
 * be a SIGBUS, which a JVM survives only in a part of its code. So such files can be left unmapped,
 * and are written by system calls; see {@link Segment}.
 *
 * <p>The budget counts pages until they are free in truth. The pages of an unlinked file are
 * charged to this process's control group as long as anybody has them mapped, and a client's
 * garbage collector may take its time to unmap. So a segment that was given back is cut to nothing,
 * which frees its pages under every mapping. That would be a SIGBUS for a client that still looks
 * at a batch, as one may whose connection broke; while it may, it holds a record lock on the file,
 * which the kernel takes away from a process that ends. Such a segment counts until the lock is
 * gone.
 *
 * <p>All methods may be called from any thread.
 */
final class Segments implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(Segments.class);
  private static final FileAttribute<Set<PosixFilePermission>> PRIVATE =
      PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------"));
  private static final ByteBuffer ZEROS = ByteBuffer.allocateDirect(1 << 20);
  private static final long PAGE_BYTES = 4 << 10;

  /** Each keeps a file open; clients that come and go and hold on must not use all there are. */
  private static final int MAX_ABANDONED = 1_024;

  private final Path directory;
  private final boolean shared;
  private final LockFile lockFile;
  private final Limits limits;
  private final TenantBudget budget;
  private final Staging staging = new Staging();
  private final AtomicLong lastId = new AtomicLong();
  // Guarded by itself.
  private final List<Abandoned> abandoned = new ArrayList<>();

  /** A segment whose connection is gone and whose client is not. */
  private record Abandoned(FileChannel file, long bytes) {}

  /**
   * What segments may take and how they are written.
   *
   * @param tenant who takes them from the budget
   * @param budget of all tenants together
   * @param copied whether batches are copied into files that are not mapped here
   */
  record Limits(String tenant, TenantBudget budget, long maxBytesPerConnection, boolean copied) {}

  private Segments(Path directory, boolean shared, LockFile lockFile, Limits limits) {
    this.directory = directory;
    this.shared = shared;
    this.lockFile = lockFile;
    this.limits = limits;
    this.budget = limits.budget();
  }

  /**
   * Prepares the directory of this user's nodes and sweeps what crashed ones left.
   *
   * @param segmentDirectory must be on a tmpfs: elsewhere every write would go to a disk
   * @throws LaneStartException when it is none or cannot be used
   */
  static Segments ofUser(Path segmentDirectory, Limits limits) {
    try {
      requireTmpfs("lane.segmentDirectory=" + segmentDirectory, segmentDirectory);
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
      return open(base, false, limits);
    } catch (IOException | UncheckedIOException e) {
      throw new LaneStartException(
          "lane.segmentDirectory=%s cannot be used: %s %s; give a tmpfs this user may write"
              .formatted(segmentDirectory, e.getClass().getSimpleName(), e.getMessage()),
          e);
    }
  }

  /**
   * Prepares a directory beside a tenant's socket and sweeps what crashed nodes left.
   *
   * @param tenantDirectory prepared by {@link TenantDirectory}; must be on a tmpfs
   * @param shared whether trainers of its group open what is in it
   * @throws LaneStartException when it is none or cannot be used
   */
  static Segments beside(Path tenantDirectory, boolean shared, Limits limits) {
    try {
      requireTmpfs("lane.tenants: " + tenantDirectory, tenantDirectory);
      Path base = tenantDirectory.resolve(".segments");
      if (shared) {
        TenantDirectory.share(base);
      } else if (!Files.isDirectory(base, LinkOption.NOFOLLOW_LINKS)) {
        Files.createDirectory(base, PRIVATE);
      }
      return open(base, shared, limits);
    } catch (IOException | UncheckedIOException e) {
      throw new LaneStartException(
          "lane.tenants: %s cannot be used: %s %s; give a lane.socket on a tmpfs this user may write"
              .formatted(tenantDirectory, e.getClass().getSimpleName(), e.getMessage()),
          e);
    }
  }

  private static Segments open(Path base, boolean shared, Limits limits) throws IOException {
    // The lock keeps out other processes, the monitor other threads of this one.
    synchronized (Segments.class) {
      try (FileChannel guard = LockFile.open(base.resolve("lock"))) {
        guard.lock();
        sweep(base);
        Path own = base.resolve("node-" + UUID.randomUUID());
        if (shared) {
          TenantDirectory.share(own);
        } else {
          Files.createDirectory(own, PRIVATE);
        }
        LockFile lockFile = LockFile.tryHold(own.resolve("lock"));
        if (lockFile == null) {
          throw new IllegalStateException(own + " is new, yet somebody has locked it");
        }
        return new Segments(own, shared, lockFile, limits);
      }
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
        || size > Long.MAX_VALUE - connectionBytes
        || size + connectionBytes > limits.maxBytesPerConnection()) {
      throw refusal(
          "%d slots of %d bytes beside %d bytes this connection has > lane.slots.maxBytesPerConnection=%d"
              .formatted(slots, slotBytes, connectionBytes, limits.maxBytesPerConnection()));
    }
    if (size > Integer.MAX_VALUE) {
      throw refusal(
          "a segment of %d slots of %d bytes > %d bytes, ask for fewer slots"
              .formatted(slots, slotBytes, Integer.MAX_VALUE));
    }
    freeAbandoned();
    long charged = charged(size);
    if (!budget.tryTake(limits.tenant(), charged)) {
      throw refusal(
          "%d slots of %d bytes beside %d bytes in use, %d of them tenant %s's, and %d bytes kept for other tenants > lane.slots.maxBytes=%d"
              .formatted(
                  slots,
                  slotBytes,
                  budget.used(),
                  budget.used(limits.tenant()),
                  limits.tenant(),
                  budget.keptFrom(limits.tenant()),
                  budget.max()));
    }
    if (abandonedCount() >= MAX_ABANDONED) {
      budget.give(limits.tenant(), charged);
      throw refusal(
          "segments=%d that trainers without a connection still use, allowed: %d"
              .formatted(MAX_ABANDONED, MAX_ABANDONED));
    }
    Path file = directory.resolve("segment-" + lastId.incrementAndGet());
    FileChannel channel = null;
    try {
      channel =
          FileChannel.open(
              file,
              Set.of(
                  StandardOpenOption.CREATE_NEW, StandardOpenOption.READ, StandardOpenOption.WRITE),
              PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------")));
      if (shared) {
        TenantDirectory.open(file);
      }
      reserve(channel, size);
      MappedByteBuffer memory =
          limits.copied() ? null : channel.map(FileChannel.MapMode.READ_WRITE, 0, size);
      return new Segment(this, file, channel, memory, slotBytes, slots);
    } catch (IOException e) {
      delete(file);
      if (channel == null) {
        budget.give(limits.tenant(), charged);
      } else {
        free(channel, charged);
      }
      throw refusal(
          "%d bytes cannot be reserved in lane.segmentDirectory=%s (%s)"
              .formatted(size, directory, e.getMessage()));
    }
  }

  /** What a file of that many bytes takes: whole pages. */
  static long charged(long size) {
    return (size + PAGE_BYTES - 1) / PAGE_BYTES * PAGE_BYTES;
  }

  /** Frees the pages of a file that nobody may touch any more, mapped or not. */
  void free(FileChannel file, long charged) {
    try (file) {
      file.truncate(0);
    } catch (IOException e) {
      LOG.warn("{} bytes of shared memory stay in use until their trainer ends", charged, e);
    }
    budget.give(limits.tenant(), charged);
  }

  /** Where batches are put together that are copied. */
  Staging staging() {
    return staging;
  }

  /** Frees the pages of a file as soon as no client holds it. */
  void abandon(FileChannel file, long charged) {
    if (isHeld(file)) {
      synchronized (abandoned) {
        abandoned.add(new Abandoned(file, charged));
      }
    } else {
      free(file, charged);
    }
  }

  /** Frees what was abandoned and is held no longer; to be called from time to time. */
  void freeAbandoned() {
    synchronized (abandoned) {
      abandoned.removeIf(
          one -> {
            if (isHeld(one.file())) {
              return false;
            }
            free(one.file(), one.bytes());
            return true;
          });
    }
  }

  private int abandonedCount() {
    synchronized (abandoned) {
      return abandoned.size();
    }
  }

  private static boolean isHeld(FileChannel file) {
    try (FileLock lock = file.tryLock(0, LaneMessage.SEGMENT_LOCK_BYTES, false)) {
      return lock == null;
    } catch (OverlappingFileLockException e) {
      return true; // By a trainer in this very process.
    } catch (IOException e) {
      LOG.debug("Whether a trainer still uses its shared memory is not known", e);
      return file.isOpen();
    }
  }

  /**
   * Removes the directory. Segments must have been dropped or abandoned before; those still held
   * are their trainers' from now on.
   */
  @Override
  public void close() throws IOException {
    freeAbandoned();
    staging.close();
    try (lockFile) {
      synchronized (abandoned) {
        for (Abandoned one : abandoned) {
          one.file().close();
        }
        abandoned.clear();
      }
      deleteTree(directory);
    }
  }

  /**
   * Writes every page: a sparse file on a full tmpfs is a SIGBUS for whoever touches it, a written
   * one is an error here, in words.
   */
  private static void reserve(FileChannel channel, long size) throws IOException {
    ByteBuffer zeros = ZEROS.duplicate();
    long written = 0;
    while (written < size) {
      zeros.clear().limit((int) Math.min(zeros.capacity(), size - written));
      written += channel.write(zeros, written);
    }
  }

  private static void requireTmpfs(String what, Path directory) throws IOException {
    if (!Files.isDirectory(directory)) {
      throw new LaneStartException(
          "%s is no directory; give a tmpfs such as /dev/shm".formatted(what));
    }
    FileStore store = Files.getFileStore(directory);
    if (!store.type().equals("tmpfs")) {
      throw new LaneStartException(
          "%s is on %s; slots must lie in memory, give a tmpfs such as /dev/shm"
              .formatted(what, store.type()));
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
