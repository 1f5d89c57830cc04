package io.trainingday.node.versions;

import io.trainingday.node.versions.DatasetRefusedException.Reason;

/**
 * What was current for one data set at one moment, immutable and safe for any number of threads.
 * Resolve a whole batch against one view.
 */
public final class DatasetView {
  private final VersionKey key;

  DatasetView(VersionKey key) {
    this.key = key;
  }

  public long incarnation() {
    return key.incarnation();
  }

  /** Counts publishes, from 0. */
  public long generation() {
    return key.generation();
  }

  /** The least {@link SampleVersion} any sample has. */
  public long floor() {
    return key.floor();
  }

  public SourceIdentity source() {
    return key.source();
  }

  /**
   * The {@link SampleVersion} of a sample. At most one bitmap look-up for a sample that did not
   * change since all did; O(changed-sets), at most 64, for one that did.
   *
   * @throws DatasetRefusedException when {@code index} is not in {@code [0, source().length())}
   */
  public long sampleVersion(long index) {
    requireIndex(index);
    return key.sampleVersion(index);
  }

  void requireIndex(long index) {
    if (index < 0 || index >= key.source().length()) {
      throw new DatasetRefusedException(
          Reason.INDEX_OUT_OF_RANGE,
          "index=%d of data set \"%s\", take 0 to %d"
              .formatted(index, key.scopedName(), key.source().length() - 1));
    }
  }

  /** Whether this view replaces {@code older} of the same data set. */
  boolean replaces(DatasetView older) {
    return incarnation() != older.incarnation() || generation() > older.generation();
  }
}
