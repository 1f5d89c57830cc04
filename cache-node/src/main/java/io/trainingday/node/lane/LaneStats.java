package io.trainingday.node.lane;

import java.util.List;
import java.util.Map;

/**
 * What the lane has done since it was opened, and what it holds now.
 *
 * @param connections open now
 * @param segmentBytes shared memory held now
 * @param slotBatches batches that went through shared memory
 * @param inlineBatches batches that were sent behind their reply
 * @param batchNanos time spent on batches, without waiting for others' loads
 * @param refusals requests and connections answered by an error or turned away, by reason; all
 *     reasons there are
 * @param peerSamples records sent to other nodes
 * @param peerDamaged records that other nodes asked for and that were found damaged
 * @param peerStale records that other nodes asked for and that were too old, or of another stamp
 * @param datasets one entry per data set opened on this node
 * @param tenants one entry for each that may connect here
 */
public record LaneStats(
    int connections,
    long segmentBytes,
    long slotBatches,
    long inlineBatches,
    long batchNanos,
    Map<String, Long> refusals,
    long peerSamples,
    long peerDamaged,
    long peerStale,
    List<Reads> datasets,
    List<Tenant> tenants) {

  /**
   * What one tenant has now.
   *
   * @param connections open
   * @param segmentBytes shared memory
   */
  public record Tenant(String name, long connections, long segmentBytes) {}

  /**
   * Reads of one data set.
   *
   * @param dataset tenant, a slash, its name
   * @param generation current when it was last read
   * @param local samples that came from this host, or would have had they been there
   * @param peer samples that came from other hosts, or would have
   * @param loads samples that trainers were left to load
   * @param abandoned leases given back without a record
   * @param damaged records whose checksum or layout was wrong; each is a miss, too
   * @param stale records that were too old, or of another stamp; each is a miss, too
   * @param recentHits of the last samples, about one to two passes over the data set
   * @param recentSamples how many these are
   * @param timedLoads samples that trainers loaded in a time that is known
   * @param loadNanos of them, from the reply that left them to the trainer to their records
   * @param timedReads samples of batches that were all there
   * @param readNanos of them, in this node
   * @param disk of the local samples, those that came from this node's disk; without misses
   * @param work what trainers tell of themselves
   */
  public record Reads(
      String dataset,
      long generation,
      Source local,
      Source peer,
      long loads,
      long abandoned,
      long damaged,
      long stale,
      long recentHits,
      long recentSamples,
      long timedLoads,
      long loadNanos,
      long timedReads,
      long readNanos,
      Source disk,
      Work work) {}

  /**
   * Reads from one source.
   *
   * @param hits samples found
   * @param hitBytes bytes of their records
   * @param misses samples not found
   */
  public record Source(long hits, long hitBytes, long misses) {}

  /**
   * What trainers tell of themselves, since the node's start.
   *
   * @param waitedNanos of {@code activeNanos}, those that training loops waited for batches
   * @param activeNanos that training loops took in all
   * @param workerWaitedNanos of {@code workerActiveNanos}, those that workers took to get batches
   * @param workerActiveNanos that workers were there for training
   * @param loads samples loaded from the origin
   * @param loadNanos of them
   * @param savedNanos that hits would have taken to load
   */
  public record Work(
      long waitedNanos,
      long activeNanos,
      long workerWaitedNanos,
      long workerActiveNanos,
      long loads,
      long loadNanos,
      long savedNanos) {
    /** Of a data set that nobody has told anything about. */
    public static final Work NONE = new Work(0, 0, 0, 0, 0, 0, 0);
  }
}
