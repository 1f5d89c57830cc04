package io.trainingday.processes;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;

/**
 * The directory of a node in its grid's directory, entered by the node's process. As long as the
 * process lives, nobody takes the grid's files for left behind.
 */
public final class NodeHome implements AutoCloseable {
  private static final String LOCK = "lock";

  private final Path directory;
  private final FileChannel lock;

  private NodeHome(Path directory, FileChannel lock) {
    this.directory = directory;
    this.lock = lock;
  }

  /**
   * Enters the directory that the grid made for the node.
   *
   * @throws ProcessException if the grid is gone already, or another process is there
   */
  public static NodeHome enter(Path directory) {
    Path absolute = directory.toAbsolutePath();
    try {
      FileChannel lock = FileLocks.tryHold(absolute.resolve(LOCK));
      if (lock == null) {
        throw new ProcessException("the directory %s is taken".formatted(absolute));
      }
      return new NodeHome(absolute, lock);
    } catch (NoSuchFileException gone) {
      throw new ProcessException("the grid at %s is gone".formatted(absolute), gone);
    } catch (IOException failure) {
      throw new ProcessException(
          "the directory %s cannot be used: %s".formatted(absolute, failure), failure);
    }
  }

  /**
   * Leaves, and removes the files of the whole grid if no other process of it lives any more. For a
   * process whose parent has ended.
   *
   * @throws IOException if they cannot be removed
   */
  public void leaveForEver() throws IOException {
    close();
    Path grid = directory.getParent();
    if (grid != null) {
      GridDirectory.removeIfAbandoned(grid, FileLocks::hold);
    }
  }

  @Override
  public void close() throws IOException {
    lock.close();
  }
}
