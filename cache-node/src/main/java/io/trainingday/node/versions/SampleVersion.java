package io.trainingday.node.versions;

/**
 * Versions of samples: the generation in which a sample last changed, and 24 bits of the publish
 * that changed it.
 *
 * <p>Generations alone would not do. A node that loses the grid in the middle of a publish may be
 * alone with a generation, and the others then give the same number to another publish. Records
 * that were loaded between the two would be taken for current by the second one.
 */
public final class SampleVersion {
  private static final int TAG_BITS = 24;

  private SampleVersion() {}

  /**
   * The version of what a publish changes. A repeated request makes the same one.
   *
   * @param generation 0 to 2³⁹ − 1
   */
  static long of(long generation, String requestId) {
    return generation << TAG_BITS | Checks.hash(requestId) >>> (Long.SIZE - TAG_BITS);
  }

  /** The generation in which a sample of this version last changed. */
  public static long generation(long version) {
    return version >>> TAG_BITS;
  }
}
