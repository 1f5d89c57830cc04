package io.trainingday.grid;

import java.util.List;
import org.apache.ignite.cache.CacheAtomicityMode;
import org.apache.ignite.cache.CacheMode;
import org.apache.ignite.cache.CacheRebalanceMode;
import org.apache.ignite.cache.CacheWriteSynchronizationMode;
import org.apache.ignite.cache.PartitionLossPolicy;
import org.apache.ignite.cache.affinity.rendezvous.RendezvousAffinityFunction;
import org.apache.ignite.configuration.CacheConfiguration;

/**
 * The Ignite caches and data regions of a grid. They are few and fixed, so that opening a data set
 * never stops the grid for a partition exchange.
 */
public final class GridCaches {
  /** The data region that holds samples. */
  public static final String SAMPLES_REGION = "samples";

  /** The data region that holds version keys, pipelines and manifests. */
  public static final String META_REGION = "meta";

  /** The replicated, transactional cache of version keys. */
  public static final String VERSIONS = "versions";

  /** The replicated, transactional cache of what tells one version key from the next. */
  public static final String HEADS = "heads";

  /** The replicated, transactional cache of the manifests kept. */
  public static final String MANIFESTS = "manifests";

  /** The replicated, transactional cache of each data set's pipelines. */
  public static final String PIPELINES = "pipelines";

  /** The replicated, transactional cache that tells where the grid's version keys come from. */
  public static final String ORIGIN = "origin";

  /** The replicated, transactional cache of what trainers agree on, for an hour each. */
  public static final String AGREEMENTS = "agreements";

  // Every node holds all of them; more would only cost memory.
  private static final int META_PARTITIONS = 32;

  /** The most copies of a sample that are kept beside the primary one. */
  public static final int MAX_BACKUPS = 2;

  private GridCaches() {}

  /**
   * The cache of the samples that are kept on so many nodes beside their primary.
   *
   * @param backups 0 to {@link #MAX_BACKUPS}
   */
  public static String samples(int backups) {
    if (backups < 0 || backups > MAX_BACKUPS) {
      throw new IllegalArgumentException("backups=" + backups + ", allowed: 0 to " + MAX_BACKUPS);
    }
    return "samples-" + backups;
  }

  static List<CacheConfiguration<?, ?>> configurations(int partitions) {
    return List.of(
        sampleCache(0, partitions),
        sampleCache(1, partitions),
        sampleCache(2, partitions),
        metaCache(VERSIONS),
        metaCache(HEADS),
        metaCache(PIPELINES),
        metaCache(MANIFESTS),
        metaCache(ORIGIN),
        metaCache(AGREEMENTS));
  }

  // Full sync: when a write returns, it is known what it took on every node. No rebalancing by
  // itself: it is started when there is room.
  @SuppressWarnings("deprecation") // Deprecated, yet the one way to start it oneself.
  private static CacheConfiguration<SampleKey, byte[]> sampleCache(int backups, int partitions) {
    return new CacheConfiguration<SampleKey, byte[]>(samples(backups))
        .setDataRegionName(SAMPLES_REGION)
        .setCacheMode(CacheMode.PARTITIONED)
        .setAtomicityMode(CacheAtomicityMode.ATOMIC)
        // A fill is over when every copy has it, so that a read of any copy finds it then.
        .setWriteSynchronizationMode(CacheWriteSynchronizationMode.FULL_SYNC)
        .setBackups(backups)
        .setAffinity(new BoundedLoadAffinity(partitions))
        .setRebalanceDelay(-1)
        // What was lost is a miss, no error.
        .setPartitionLossPolicy(PartitionLossPolicy.IGNORE);
  }

  // An atomic replicated update whose primary dies midway leaves replicas split; a transaction does
  // not, and full sync makes every later local read see it. A node starts when it has all of it:
  // before, each read would have to ask another node.
  private static CacheConfiguration<?, ?> metaCache(String name) {
    return new CacheConfiguration<>(name)
        .setDataRegionName(META_REGION)
        .setCacheMode(CacheMode.REPLICATED)
        .setAtomicityMode(CacheAtomicityMode.TRANSACTIONAL)
        .setWriteSynchronizationMode(CacheWriteSynchronizationMode.FULL_SYNC)
        .setRebalanceMode(CacheRebalanceMode.SYNC)
        .setAffinity(new RendezvousAffinityFunction(false, META_PARTITIONS));
  }
}
