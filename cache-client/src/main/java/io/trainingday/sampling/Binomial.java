package io.trainingday.sampling;

/** What can be expected of a host that owns a part of all samples. */
final class Binomial {
  /** What adds nothing to a sum near 1 any more. */
  private static final double NEGLIGIBLE = 1e-20;

  private Binomial() {}

  /**
   * The expectation of the lesser of {@code most} and the hits in so many tries. Starts from the
   * likeliest number of hits and goes from one to the next both ways, so that nothing overflows and
   * only what counts is looked at.
   */
  static double expectedMin(int tries, double probability, int most) {
    if (probability <= 0) {
      return 0;
    }
    if (probability >= 1) {
      return Math.min(tries, most);
    }
    double odds = probability / (1 - probability);
    int mode = (int) Math.min(tries, Math.floor((tries + 1.0) * probability));
    double total = 1;
    double sum = Math.min(mode, most);
    double weight = 1;
    for (int k = mode + 1; k <= tries && weight > NEGLIGIBLE; k++) {
      weight *= odds * (tries - k + 1) / k;
      total += weight;
      sum += weight * Math.min(k, most);
    }
    weight = 1;
    for (int k = mode - 1; k >= 0 && weight > NEGLIGIBLE; k--) {
      weight *= (k + 1) / (odds * (tries - k));
      total += weight;
      sum += weight * Math.min(k, most);
    }
    return sum / total;
  }
}
