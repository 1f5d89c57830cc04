package io.trainingday.grid;

import org.apache.ignite.cache.affinity.AffinityKeyMapped;

/**
 * The grid key of one stored record. A record is immutable under its key: whatever changes, changes
 * the key. Placement follows {@code index} alone, so everything about a sample lives in one
 * partition.
 *
 * <p>Not a Java record: Ignite reads the affinity field reflectively and JDK 17 hides record fields
 * from that.
 */
public final class SampleKey {
  private final long dataset;
  private final long incarnation;
  private final long pipeline;
  private final long sampleVersion;
  private final int variant;
  @AffinityKeyMapped private final long index;

  /**
   * @param dataset first 8 bytes of SHA-256 of the tenant-scoped data-set name
   * @param incarnation the random number of the version key's life
   * @param pipeline first 8 bytes of SHA-256 of the pipeline fingerprint
   * @param sampleVersion the generation in which the sample last changed, from 0
   * @param variant the stored augmentation, 0 = the only one
   * @param index the sample's index, from 0
   */
  public SampleKey(
      long dataset, long incarnation, long pipeline, long sampleVersion, int variant, long index) {
    this.dataset = dataset;
    this.incarnation = incarnation;
    this.pipeline = pipeline;
    this.sampleVersion = sampleVersion;
    this.variant = variant;
    this.index = index;
  }

  public long dataset() {
    return dataset;
  }

  public long incarnation() {
    return incarnation;
  }

  public long pipeline() {
    return pipeline;
  }

  public long sampleVersion() {
    return sampleVersion;
  }

  public int variant() {
    return variant;
  }

  public long index() {
    return index;
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof SampleKey that
        && index == that.index
        && dataset == that.dataset
        && incarnation == that.incarnation
        && pipeline == that.pipeline
        && sampleVersion == that.sampleVersion
        && variant == that.variant;
  }

  @Override
  public int hashCode() {
    long hash = index;
    hash = hash * 0x9E3779B97F4A7C15L + dataset;
    hash = hash * 0x9E3779B97F4A7C15L + incarnation;
    hash = hash * 0x9E3779B97F4A7C15L + pipeline;
    hash = hash * 0x9E3779B97F4A7C15L + sampleVersion;
    hash = hash * 0x9E3779B97F4A7C15L + variant;
    return (int) (hash ^ hash >>> 32);
  }

  @Override
  public String toString() {
    return "sample %d of data set %016x (incarnation %016x, pipeline %016x, version %d, variant %d)"
        .formatted(index, dataset, incarnation, pipeline, sampleVersion, variant);
  }
}
