package io.trainingday.grid;

/** Where samples are placed. */
public final class BoundedLoadAffinity {
  private BoundedLoadAffinity() {}

  /**
   * The partition of a sample's index, as {@code contract/placement.md} has it.
   *
   * @param partitions a power of two
   */
  public static int partition(long index, int partitions) {
    int hash = Long.hashCode(index);
    return (hash ^ hash >>> 16) & partitions - 1;
  }
}
