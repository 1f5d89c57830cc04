package io.trainingday.node.latency;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Arrays;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

final class LatencyTest {
  private final Latency latency = new Latency();

  @Test
  void time_isCountedInTheFirstBucketThatHoldsIt() {
    latency.count(0);
    latency.count(50_000);
    latency.count(50_001);
    latency.count(10_000_000_000L);
    latency.count(10_000_000_001L);
    latency.count(-5);

    Latency.Snapshot now = latency.snapshot();

    int last = now.counts().length - 1;
    assertThat(now.counts()[0]).isEqualTo(3);
    assertThat(now.counts()[1]).isEqualTo(1);
    assertThat(now.counts()[last - 1]).isEqualTo(1);
    assertThat(now.counts()[last]).isEqualTo(1);
    assertThat(now.count()).isEqualTo(6);
    assertThat(now.nanos()).isEqualTo(20_000_100_002L);
  }

  @Test
  void buckets_growUpToInfinity() {
    Latency.Snapshot now = latency.snapshot();
    double[] most = IntStream.range(0, now.counts().length).mapToDouble(now::mostSeconds).toArray();

    assertThat(most).isSorted().doesNotHaveDuplicates().startsWith(5e-5).endsWith(1.0 / 0);
  }

  @Test
  void threads_loseNothing() throws InterruptedException {
    Thread[] threads = new Thread[4];
    Arrays.setAll(
        threads,
        unused ->
            new Thread(
                () -> {
                  for (int i = 0; i < 10_000; i++) {
                    latency.count(i);
                  }
                }));
    for (Thread thread : threads) {
      thread.start();
    }
    for (Thread thread : threads) {
      thread.join();
    }

    assertThat(latency.snapshot().count()).isEqualTo(40_000);
    assertThat(latency.snapshot().nanos()).isEqualTo(4 * (9_999L * 10_000 / 2));
  }
}
