package io.trainingday.node.disk;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.ClosedByInterruptException;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;

/**
 * One file of entries, one behind the other. Written to by one thread at a time, read by any.
 *
 * <p>An interrupt that hits a thread inside a channel closes the channel under all others. Here it
 * is opened again, and the interrupt is kept for later.
 */
class Segment {
  /** Bytes that are in the file and cannot be read: the disk does not give them. */
  static final class UnreadableException extends IOException {
    private static final long serialVersionUID = 1L;

    UnreadableException(String message, @Nullable Throwable cause) {
      super(message, cause);
    }
  }

  private final int number;
  private final Path file;
  private final AtomicLong liveBytes = new AtomicLong();
  private volatile long size;
  private volatile boolean unsynced;

  // Guarded by this, read without.
  private volatile @Nullable FileChannel channel;
  private boolean closed;

  /**
   * @param size of the file, 0 where there is none yet
   */
  Segment(int number, Path file, long size) {
    this.number = number;
    this.file = file;
    this.size = size;
  }

  int number() {
    return number;
  }

  /** Bytes of the file. */
  long size() {
    return size;
  }

  /** Bytes of the entries that the index names. */
  long liveBytes() {
    return liveBytes.get();
  }

  /** Bytes that nothing names. */
  long deadBytes() {
    return size - liveBytes.get();
  }

  void addLive(long bytes) {
    liveBytes.addAndGet(bytes);
  }

  /**
   * Fills {@code into} up to its limit.
   *
   * @return false when the file ends before
   * @throws ClosedChannelException when the segment was closed or deleted
   * @throws UnreadableException when the file is open and the disk does not give the bytes
   */
  boolean read(ByteBuffer into, long position) throws IOException {
    int start = into.position();
    while (into.hasRemaining()) {
      int got = uninterrupted(channel -> get(channel, into, position + into.position() - start));
      if (got < 0) {
        return false;
      }
    }
    return true;
  }

  /** An error of the bytes themselves is another one than that of opening the file. */
  private int get(FileChannel open, ByteBuffer into, long position) throws IOException {
    try {
      return readOnce(open, into, position);
    } catch (ClosedChannelException underUs) {
      throw underUs;
    } catch (IOException failure) {
      throw new UnreadableException(
          "segment %d cannot be read at %d: %s".formatted(number, position, failure), failure);
    }
  }

  int readOnce(FileChannel open, ByteBuffer into, long position) throws IOException {
    return open.read(into, position);
  }

  /** Writes all of {@code from}; the segment's size is only set by {@link #grow}. */
  void write(ByteBuffer from, long position) throws IOException {
    int start = from.position();
    while (from.hasRemaining()) {
      uninterrupted(channel -> channel.write(from, position + from.position() - start));
    }
  }

  /** Makes what was written up to {@code newSize} part of the segment. */
  void grow(long newSize) {
    size = newSize;
    unsynced = true;
  }

  /** Gives back what was written behind the segment's size. */
  void cutOff() throws IOException {
    long end = size;
    uninterrupted(
        channel -> {
          channel.truncate(end);
          return 0;
        });
  }

  /** Waits until everything written so far is on the disk itself. */
  void sync() throws IOException {
    if (unsynced) {
      unsynced = false;
      try {
        uninterrupted(
            channel -> {
              channel.force(false);
              return 0;
            });
      } catch (IOException failure) {
        unsynced = true;
        throw failure;
      }
    }
  }

  @Override
  public String toString() {
    return file.toString();
  }

  synchronized void close() throws IOException {
    closed = true;
    if (channel != null) {
      channel.close();
    }
  }

  void delete() throws IOException {
    close();
    Files.deleteIfExists(file);
  }

  private interface Access {
    int to(FileChannel channel) throws IOException;
  }

  private int uninterrupted(Access access) throws IOException {
    boolean interrupted = Thread.interrupted();
    try {
      while (true) {
        FileChannel open = openChannel();
        try {
          return access.to(open);
        } catch (ClosedChannelException underUs) {
          // By our interrupt or another's: opened again, unless the segment is gone.
          interrupted |= underUs instanceof ClosedByInterruptException && Thread.interrupted();
        }
      }
    } finally {
      if (interrupted) {
        Thread.currentThread().interrupt();
      }
    }
  }

  private FileChannel openChannel() throws IOException {
    FileChannel open = channel;
    return open != null && open.isOpen() ? open : reopen();
  }

  private synchronized FileChannel reopen() throws IOException {
    if (closed) {
      throw new ClosedChannelException();
    }
    FileChannel open = channel;
    if (open == null || !open.isOpen()) {
      open =
          FileChannel.open(
              file, StandardOpenOption.CREATE, StandardOpenOption.READ, StandardOpenOption.WRITE);
      channel = open;
    }
    return open;
  }
}
