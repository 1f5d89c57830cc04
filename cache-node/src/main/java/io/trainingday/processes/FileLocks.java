package io.trainingday.processes;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayDeque;
import java.util.Deque;
import org.jspecify.annotations.Nullable;

/**
 * Locked files, let go together. The kernel lets go the locks of a process when it ends however it
 * ends. A process must not open a file that it has locked: closing it gives up the lock.
 */
final class FileLocks implements AutoCloseable {
  private final Deque<FileChannel> held = new ArrayDeque<>();

  /** A way to lock a file that is there. */
  interface Hold {
    /** The locked file, null when another process has it locked. */
    @Nullable FileChannel of(Path file) throws IOException;
  }

  /** Locks a file unless another process has. */
  static @Nullable FileChannel tryHold(Path file) throws IOException {
    FileChannel channel = FileChannel.open(file, StandardOpenOption.WRITE);
    boolean locked = false;
    try {
      locked = channel.tryLock() != null;
      return locked ? channel : null;
    } finally {
      if (!locked) {
        channel.close();
      }
    }
  }

  /** Locks a file, waiting for another process that has. */
  static FileChannel hold(Path file) throws IOException {
    FileChannel channel = FileChannel.open(file, StandardOpenOption.WRITE);
    try {
      channel.lock();
      return channel;
    } catch (IOException failure) {
      try (channel) {
        throw failure;
      }
    }
  }

  /** Takes over a locked file; false when there is none. */
  boolean add(@Nullable FileChannel locked) {
    if (locked == null) {
      return false;
    }
    held.push(locked);
    return true;
  }

  @Override
  public void close() throws IOException {
    IOException first = null;
    while (!held.isEmpty()) {
      try {
        held.pop().close();
      } catch (IOException failure) {
        if (first == null) {
          first = failure;
        } else {
          first.addSuppressed(failure);
        }
      }
    }
    if (first != null) {
      throw first;
    }
  }
}
