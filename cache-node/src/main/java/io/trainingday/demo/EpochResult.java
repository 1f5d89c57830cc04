package io.trainingday.demo;

import org.jspecify.annotations.Nullable;

/**
 * What one epoch took.
 *
 * @param epoch number from 1
 * @param samples samples trained on
 * @param seconds wall-clock time of the epoch
 * @param dataWaitSeconds the part of it in which the model had no batch to work on
 * @param reads the cache's answers in this epoch, null without a cache
 * @param originLoads samples decoded and preprocessed in this epoch
 * @param originSeconds time that took, of all loader threads together
 * @param loss mean loss over the samples
 */
record EpochResult(
    int epoch,
    long samples,
    double seconds,
    double dataWaitSeconds,
    @Nullable CacheReads reads,
    long originLoads,
    double originSeconds,
    double loss) {

  double samplesPerSecond() {
    return samples / seconds;
  }
}
