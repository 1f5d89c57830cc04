package io.trainingday.node.disk;

/**
 * How large everything may become, computed from the budget alone.
 *
 * <pre>
 *  budget = segments | the index's files | one segment, for moving records | as much as the index's
 *                                                                            tables, for merging them
 * </pre>
 *
 * Only the first two are there all the time. Segments are as large as the budget allows 64 of, so
 * that moving the records of one takes 1.6 % of it, but at most {@link #MAX_SEGMENT}, so that
 * emptying one does not take long.
 */
final class Sizes {
  private static final long MIN_SEGMENT = 1L << 20;
  private static final long MAX_SEGMENT = 1L << 30;
  private static final int SEGMENTS = 64;
  private static final int LARGEST_ENTRY_SHARE = 16;
  private static final long MIN_INDEX_BUFFER = 256L << 10;
  private static final long MAX_INDEX_BUFFER = 16L << 20;
  private static final int INDEX_BUFFER_SHARE = 256;
  private static final long MIN_INDEX_CACHE = 16L << 20;
  private static final long MAX_INDEX_CACHE = 256L << 20;
  private static final int INDEX_CACHE_SHARE = 2_000;
  private static final int INDEX_BUFFERS_AT_ONCE = 4;

  private final long budget;

  Sizes(long budget) {
    this.budget = budget;
  }

  long budget() {
    return budget;
  }

  /** A segment that has reached this is not added to any more. */
  long segment() {
    return clamp(budget / SEGMENTS, MIN_SEGMENT, MAX_SEGMENT);
  }

  /** The largest record with what is stored around it. */
  long largestEntry() {
    return budget / LARGEST_ENTRY_SHARE;
  }

  /** Keys that the index gathers in memory (and in its log) before it makes a table of them. */
  long indexBuffer() {
    return clamp(budget / INDEX_BUFFER_SHARE, MIN_INDEX_BUFFER, MAX_INDEX_BUFFER);
  }

  /** Memory for what the index has read of its tables. */
  long indexCache() {
    return clamp(budget / INDEX_CACHE_SHARE, MIN_INDEX_CACHE, MAX_INDEX_CACHE);
  }

  /**
   * Room on the file system beyond a record: what the index may write before it is asked for the
   * next one.
   */
  long headroom() {
    return INDEX_BUFFERS_AT_ONCE * indexBuffer();
  }

  /** Bytes of segments and index together up to which records are taken. */
  long limit(long indexTableBytes) {
    return budget - segment() - indexTableBytes;
  }

  /** From here on room is made, before it is needed. */
  long highWater(long indexTableBytes) {
    return limit(indexTableBytes) - 2 * segment();
  }

  private static long clamp(long value, long min, long max) {
    return Math.max(min, Math.min(value, max));
  }
}
