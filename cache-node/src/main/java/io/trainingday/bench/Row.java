package io.trainingday.bench;

/**
 * What one path did with batches of one size; the components' names are the report's keys.
 *
 * @param bytesPerSecond of samples delivered, the median of the rounds
 * @param minBytesPerSecond of the slowest round
 * @param maxBytesPerSecond of the fastest round
 * @param medianMicros of a batch, over all rounds
 * @param p99Micros of a batch, over all rounds
 * @param batches read in all rounds
 * @param inlineBatches of them, through a socket though shared memory was meant
 */
record Row(
    String path,
    int sampleBytes,
    int batch,
    double bytesPerSecond,
    double minBytesPerSecond,
    double maxBytesPerSecond,
    double medianMicros,
    double p99Micros,
    long batches,
    long inlineBatches) {}
