package io.trainingday.sampling;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.BitSet;
import java.util.SplittableRandom;
import java.util.function.IntFunction;
import java.util.stream.IntStream;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The order is a shuffle, and as good as one. The statistics are those of fixed keys, so they pass
 * always or never; each p-value is printed, for the keyed order and, beside it, for a true shuffle.
 */
class KeyedBijectionTest {
  private static final Logger LOG = LoggerFactory.getLogger(KeyedBijectionTest.class);
  private static final double LEAST_P = 0.001;

  @Test
  void everyLength_everyIndexOnce() {
    for (int length = 1; length <= 520; length++) {
      assertIsBijection(length);
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {65_535, 65_536, 65_537, 300_000})
  void largeLength_everyIndexOnce(int length) {
    assertIsBijection(length);
  }

  private static void assertIsBijection(int length) {
    for (long seed = 0; seed < 3; seed++) {
      BitSet seen = new BitSet(length);
      for (int index : keyed(length, seed)) {
        seen.set(index);
      }
      assertThat(seen.cardinality()).isEqualTo(length);
      assertThat(seen.length()).isEqualTo(length);
    }
  }

  @Test
  void longest_staysWithin_andSeedsAndEpochsDiffer() {
    long length = 1L << 48;
    KeyedBijection order = new KeyedBijection(length, Mix.base(1, 2));
    long[] some = LongStream.range(0, 1_000).map(order::apply).toArray();
    assertThat(some).doesNotHaveDuplicates();
    assertThat(LongStream.of(some).filter(index -> index < 0 || index >= length)).isEmpty();
    for (long[] other : new long[][] {{2, 1}, {1, 3}, {0, 3}, {2, 2}}) {
      KeyedBijection another = new KeyedBijection(length, Mix.base(other[0], other[1]));
      assertThat(LongStream.range(0, 1_000).map(another::apply).toArray()).isNotEqualTo(some);
    }
  }

  /** Which part of the data comes in which part of the epoch. */
  @ParameterizedTest
  @ValueSource(ints = {100, 1_000, 20_000, 70_001})
  void positions_areThoseOfAShuffle(int length) {
    int bins = 20;
    int orders = Math.max(20, 200_000 / length);
    compare(
        "position, length " + length,
        length,
        orders,
        all -> {
          double[] counts = new double[bins * bins];
          for (int[] order : all) {
            for (int p = 0; p < length; p++) {
              counts[(int) ((long) p * bins / length * bins + (long) order[p] * bins / length)]++;
            }
          }
          // Rows and columns are given; in a shuffle the variance of a cell is smaller for it.
          double scale = (length - 1.0) / length;
          return chiSquare(counts, (double) length * orders / counts.length) * scale;
        },
        (bins - 1) * (bins - 1));
  }

  /** How far apart in the data lies what is read one after the other. */
  @ParameterizedTest
  @ValueSource(ints = {1_000, 20_000, 70_001})
  void neighbours_areThoseOfAShuffle(int length) {
    int bins = 50;
    int orders = Math.max(20, 200_000 / length);
    compare(
        "adjacency, length " + length,
        length,
        orders,
        all -> {
          double[] counts = new double[bins];
          for (int[] order : all) {
            for (int p = 1; p < length; p++) {
              int apart = Math.floorMod(order[p] - order[p - 1], length) - 1;
              counts[(int) ((long) apart * bins / (length - 1))]++;
            }
          }
          double[] expected = new double[bins];
          for (int apart = 0; apart < length - 1; apart++) {
            expected[(int) ((long) apart * bins / (length - 1))] += orders;
          }
          double sum = 0;
          for (int bin = 0; bin < bins; bin++) {
            sum += Math.pow(counts[bin] - expected[bin], 2) / expected[bin];
          }
          return sum;
        },
        bins - 1);
  }

  /** Data sorted by class: how often the class changes from one sample to the next. */
  @ParameterizedTest
  @ValueSource(ints = {1_000, 20_000})
  void classRuns_areThoseOfAShuffle(int length) {
    int classes = 10;
    int orders = 400_000 / length;
    double[] keyed = new double[orders];
    double[] shuffled = new double[orders];
    for (int i = 0; i < orders; i++) {
      keyed[i] = runs(keyed(length, i), classes);
      shuffled[i] = runs(shuffled(length, i), classes);
    }
    double own = (double) length / classes;
    double same = classes * own * (own - 1) / ((double) length * (length - 1));
    double expected = 1 + (length - 1) * (1 - same);
    double deviation = Math.sqrt(variance(shuffled) / orders);
    double pOfKeyed = twoSided((mean(keyed) - expected) / deviation);
    double pOfShuffled = twoSided((mean(shuffled) - expected) / deviation);
    LOG.info("class runs, length {}: p = {} (true shuffle: {})", length, pOfKeyed, pOfShuffled);
    assertThat(pOfKeyed).isGreaterThan(LEAST_P);
    // The spread, too, not the mean alone: F about 1, within what so many orders show.
    assertThat(variance(keyed) / variance(shuffled))
        .isBetween(1 / (1 + 6 / Math.sqrt(orders)), 1 + 6 / Math.sqrt(orders));
  }

  private static int runs(int[] order, int classes) {
    int runs = 1;
    for (int p = 1; p < order.length; p++) {
      runs +=
          classOf(order[p], order.length, classes) == classOf(order[p - 1], order.length, classes)
              ? 0
              : 1;
    }
    return runs;
  }

  private static int classOf(int index, int length, int classes) {
    return (int) ((long) index * classes / length);
  }

  private interface Statistic {
    double of(int[][] orders);
  }

  private static void compare(
      String name, int length, int orders, Statistic statistic, int freedom) {
    double keyed = statistic.of(orders(orders, seed -> keyed(length, seed)));
    double shuffled = statistic.of(orders(orders, seed -> shuffled(length, seed)));
    double p = twoSided(deviation(keyed, freedom));
    LOG.info("{}: p = {} (true shuffle: {})", name, p, twoSided(deviation(shuffled, freedom)));
    assertThat(p).as(name).isGreaterThan(LEAST_P);
  }

  private static int[][] orders(int count, IntFunction<int[]> order) {
    return IntStream.range(0, count).mapToObj(order).toArray(int[][]::new);
  }

  private static int[] keyed(int length, long seed) {
    KeyedBijection order = new KeyedBijection(length, Mix.base(seed, 3));
    return IntStream.range(0, length).map(p -> (int) order.apply(p)).toArray();
  }

  private static int[] shuffled(int length, long seed) {
    SplittableRandom random = new SplittableRandom(seed);
    int[] order = IntStream.range(0, length).toArray();
    for (int last = length - 1; last > 0; last--) {
      int other = random.nextInt(last + 1);
      int kept = order[last];
      order[last] = order[other];
      order[other] = kept;
    }
    return order;
  }

  private static double chiSquare(double[] counts, double expected) {
    double sum = 0;
    for (double count : counts) {
      sum += (count - expected) * (count - expected) / expected;
    }
    return sum;
  }

  /** Of a chi-square with so many degrees of freedom, as of a normal one (Wilson and Hilferty). */
  private static double deviation(double chiSquare, int freedom) {
    double spread = 2.0 / (9 * freedom);
    return (Math.cbrt(chiSquare / freedom) - (1 - spread)) / Math.sqrt(spread);
  }

  /** The chance of a deviation at least as large; Abramowitz and Stegun 7.1.26. */
  private static double twoSided(double deviation) {
    double x = Math.abs(deviation) / Math.sqrt(2);
    double t = 1 / (1 + 0.3275911 * x);
    double series =
        t
            * (0.254829592
                + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))));
    return series * Math.exp(-x * x);
  }

  private static double mean(double[] values) {
    double sum = 0;
    for (double value : values) {
      sum += value;
    }
    return sum / values.length;
  }

  private static double variance(double[] values) {
    double mean = mean(values);
    double sum = 0;
    for (double value : values) {
      sum += (value - mean) * (value - mean);
    }
    return sum / (values.length - 1);
  }
}
