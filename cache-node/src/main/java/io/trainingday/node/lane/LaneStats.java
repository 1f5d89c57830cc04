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
 * @param datasets one entry per data set opened on this node
 */
public record LaneStats(
    int connections,
    long segmentBytes,
    long slotBatches,
    long inlineBatches,
    long batchNanos,
    Map<String, Long> refusals,
    List<Reads> datasets) {

  /**
   * Reads of one data set.
   *
   * @param generation current when it was last opened or read
   * @param hits samples found
   * @param hitBytes bytes of their records
   * @param misses samples not found
   * @param damaged records whose checksum or layout was wrong; each is a miss, too
   */
  public record Reads(
      String dataset, long generation, long hits, long hitBytes, long misses, long damaged) {}
}
