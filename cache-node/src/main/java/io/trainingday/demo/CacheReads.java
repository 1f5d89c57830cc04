package io.trainingday.demo;

/**
 * Samples that a cache was asked for so far.
 *
 * @param hits samples it had
 * @param misses samples it did not have
 */
record CacheReads(long hits, long misses) {
  CacheReads minus(CacheReads earlier) {
    return new CacheReads(hits - earlier.hits, misses - earlier.misses);
  }
}
