package io.trainingday.demo;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;

final class EpochOrderTest {
  private static final DigitsDataset DATASET = new DigitsDataset(Digits.read(), new int[100]);

  @Test
  void sample_oneEpoch_givesEveryIndexOnceInBatches() {
    List<List<Long>> batches = batches(42, 1);

    assertThat(batches).extracting(List::size).containsExactly(32, 32, 32, 4);
    assertThat(batches.stream().flatMap(List::stream).sorted())
        .containsExactlyElementsOf(LongStream.range(0, 100).boxed().toList());
  }

  @Test
  void sample_sameSeedAndEpoch_repeatsTheOrder() {
    assertThat(batches(42, 3)).isEqualTo(batches(42, 3));
  }

  @Test
  void sample_otherEpochOrSeed_changesTheOrder() {
    assertThat(List.of(batches(42, 1), batches(42, 2), batches(43, 1), batches(41, 2)))
        .doesNotHaveDuplicates();
  }

  private static List<List<Long>> batches(long seed, int epoch) {
    List<List<Long>> batches = new ArrayList<>();
    new EpochOrder(seed, epoch, 32).sample(DATASET).forEachRemaining(batches::add);
    return batches;
  }
}
