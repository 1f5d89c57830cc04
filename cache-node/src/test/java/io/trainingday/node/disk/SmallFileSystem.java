package io.trainingday.node.disk;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.FileStore;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;

/**
 * A file system of some MiB that really is full when it is full, and a file that fills it.
 *
 * <p>A tmpfs of its own where one may be mounted, as a machine's root may. A container's root may
 * not, but has a tmpfs of 64 MiB on /dev/shm: there a second file leaves no more than was asked
 * for. Limits on a process or layers around RocksDB's files would give other errors, in other
 * places, than the kernel does.
 */
public final class SmallFileSystem implements AutoCloseable {
  private static final Path SHARED_MEMORY = Path.of("/dev/shm");
  private static final long LARGEST_SHARED_MEMORY = 1L << 30;
  private static final int BLOCK = 64 << 10;
  private static final int LEAST = 4 << 10;

  private final Path root;
  private final boolean mounted;
  private final Path others;

  private SmallFileSystem(Path root, boolean mounted) {
    this.root = root;
    this.mounted = mounted;
    this.others = root.resolve("others");
  }

  /**
   * Makes one.
   *
   * @param parent where it may be mounted
   */
  public static SmallFileSystem of(Path parent, int mebibytes) throws IOException {
    Path place = Files.createDirectory(parent.resolve("small"));
    if (run("mount", "-t", "tmpfs", "-o", "size=" + mebibytes + "m", "tmpfs", place.toString())) {
      return new SmallFileSystem(place, true);
    }
    FileStore shared = Files.getFileStore(SHARED_MEMORY);
    if (!shared.type().equals("tmpfs") || shared.getUsableSpace() > LARGEST_SHARED_MEMORY) {
      throw new AssertionError(
          "needs a small file system: the right to mount a tmpfs, or one of at most 1 GiB on "
              + SHARED_MEMORY);
    }
    SmallFileSystem small =
        new SmallFileSystem(Files.createTempDirectory(SHARED_MEMORY, "training-day-test"), false);
    small.write(small.root.resolve("ballast"), (long) mebibytes << 20);
    return small;
  }

  public Path root() {
    return root;
  }

  /** Somebody else takes all the space there is, to the last page. */
  public void fill() {
    write(others, 0);
  }

  /** And gives it back. */
  public void free() {
    try {
      Files.delete(others);
    } catch (IOException failure) {
      throw new UncheckedIOException(failure);
    }
  }

  private void write(Path file, long left) {
    int block = BLOCK;
    try (FileChannel channel =
        FileChannel.open(file, StandardOpenOption.CREATE, StandardOpenOption.WRITE)) {
      while (block >= LEAST) {
        if (Files.getFileStore(root).getUsableSpace() <= left) {
          return;
        }
        try {
          channel.write(ByteBuffer.allocate(block), channel.size());
        } catch (IOException full) {
          block /= 2;
        }
      }
    } catch (IOException failure) {
      throw new UncheckedIOException(failure);
    }
  }

  private static boolean run(String... command) throws IOException {
    Process process =
        new ProcessBuilder(List.of(command))
            .redirectErrorStream(true)
            .redirectOutput(ProcessBuilder.Redirect.DISCARD)
            .start();
    try {
      return process.waitFor() == 0;
    } catch (InterruptedException interrupted) {
      process.destroyForcibly();
      throw new IOException("interrupted while it ran " + List.of(command), interrupted);
    }
  }

  @Override
  public void close() throws IOException {
    if (mounted) {
      if (!run("umount", root.toString())) {
        throw new IOException(root + " cannot be unmounted");
      }
    } else {
      Directories.delete(root);
    }
  }
}
