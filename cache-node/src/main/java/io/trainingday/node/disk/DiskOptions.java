package io.trainingday.node.disk;

import io.trainingday.config.DataSize;
import java.nio.file.Path;
import java.util.Objects;

/**
 * What a disk tier is opened with.
 *
 * @param directory of this node alone; made where it is not there
 * @param budget most bytes of all files in it, from {@link #MIN_BUDGET}
 * @param grid name of the grid the node belongs to; a directory is bound to one
 * @param partitions of the grid, 1 to 65,536; a directory is bound to one number
 * @param evictor is asked for room before the budget is used up
 */
public record DiskOptions(
    Path directory, DataSize budget, String grid, int partitions, Evictor evictor) {
  /** The least budget. */
  public static final DataSize MIN_BUDGET = DataSize.ofMiB(64);

  private static final int MAX_PARTITIONS = 1 << 16;

  /** Makes room by removing records from the store. */
  @FunctionalInterface
  public interface Evictor {
    /** Keeps everything: once the budget is used up, writes are refused. */
    static Evictor none() {
      return bytes -> 0;
    }

    /**
     * Removes records of at least {@code bytes} bytes, as far as it can. Called by the store's own
     * thread, one call at a time, with no lock held; may take its time.
     *
     * @return bytes of the records removed, 0 when there is nothing to remove
     */
    long evict(long bytes);
  }

  /**
   * @throws DiskRefusedException when a value is outside what is allowed
   */
  public DiskOptions {
    Objects.requireNonNull(directory, "directory");
    Objects.requireNonNull(grid, "grid");
    Objects.requireNonNull(evictor, "evictor");
    if (budget.compareTo(MIN_BUDGET) < 0) {
      throw new DiskRefusedException(
          "disk budget=%s, allowed: from %s; raise it".formatted(budget, MIN_BUDGET));
    }
    if (partitions < 1 || partitions > MAX_PARTITIONS) {
      throw new DiskRefusedException(
          "partitions=%d, allowed: 1..%d".formatted(partitions, MAX_PARTITIONS));
    }
  }
}
