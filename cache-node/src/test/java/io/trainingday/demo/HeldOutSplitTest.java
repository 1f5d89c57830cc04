package io.trainingday.demo;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

final class HeldOutSplitTest {
  @ParameterizedTest
  @CsvSource({"1797, 1437, 360", "2311, 1848, 463", "10, 8, 2", "11, 8, 3"})
  void split_size_holdsOutAFifth(int size, int train, int test) {
    HeldOutSplit split = HeldOutSplit.of(size);

    assertThat(split.train()).hasSize(train);
    assertThat(split.test()).hasSize(test);
    assertThat(IntStream.concat(IntStream.of(split.train()), IntStream.of(split.test())).sorted())
        .containsExactly(IntStream.range(0, size).boxed().toArray(Integer[]::new));
  }

  @Test
  void split_sameSize_neverChanges() {
    assertThat(HeldOutSplit.of(1_797).test()).isEqualTo(HeldOutSplit.of(1_797).test());
    assertThat(HeldOutSplit.of(12).test())
        .as("cached training sets rely on this very split")
        .containsExactly(11, 5, 7);
  }
}
