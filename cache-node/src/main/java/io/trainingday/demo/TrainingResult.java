package io.trainingday.demo;

import java.util.List;

/**
 * What a run came to.
 *
 * @param epochs in order, at least one
 * @param testAccuracy share of held-out samples classified correctly, 0..1
 * @param weightsSha256 lower-case hex digest of all parameters' bytes in the order of their names
 */
record TrainingResult(List<EpochResult> epochs, double testAccuracy, String weightsSha256) {}
