package io.trainingday.client;

/**
 * What happened to one data set's reads since it was opened; a snapshot. Samples are counted as
 * often as they were asked for, origin loads as often as the loader ran.
 *
 * @param hits samples the node had, at once or after waiting for another loader
 * @param misses samples that it did not have
 * @param originLoads loader calls that returned a sample
 * @param waitedForOthers samples that came from the node after another loader had filled them
 * @param fillsTaken records the node took
 * @param fillsDropped records it did not keep: over a limit, under pressure, or gone meanwhile
 * @param inlineBatches batches whose samples came through the socket, not through shared memory
 * @param slotBatches batches whose samples came in shared memory
 * @param reconnects times the connection to the node was made anew
 */
public record CacheStats(
    long hits,
    long misses,
    long originLoads,
    long waitedForOthers,
    long fillsTaken,
    long fillsDropped,
    long inlineBatches,
    long slotBatches,
    long reconnects) {}
