package io.trainingday.demo;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.ndarray.types.Shape;
import ai.djl.translate.TranslateException;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

final class TrainingTest {
  private static final Digits DIGITS = Digits.read();

  @Test
  void epoch_secondPass_hasLowerLossAndCountsItsLoads() throws IOException, TranslateException {
    List<EpochResult> epochs = run(42).epochs();

    assertThat(epochs).extracting(EpochResult::samples).containsExactly(300L, 300L);
    assertThat(epochs).extracting(EpochResult::originLoads).containsExactly(300L, 300L);
    assertThat(epochs).extracting(EpochResult::reads).containsOnlyNulls();
    assertThat(epochs.get(1).loss()).isLessThan(epochs.get(0).loss());
    assertThat(epochs.get(0).dataWaitSeconds()).isPositive().isLessThan(epochs.get(0).seconds());
  }

  @Test
  void run_sameSeed_givesTheSameBits() throws IOException, TranslateException {
    TrainingResult first = run(42);
    TrainingResult second = run(42);

    assertThat(second.weightsSha256()).isEqualTo(first.weightsSha256()).matches("[0-9a-f]{64}");
    assertThat(second.testAccuracy()).isEqualTo(first.testAccuracy());
    assertThat(second.epochs())
        .extracting(EpochResult::loss)
        .containsExactly(first.epochs().get(0).loss(), first.epochs().get(1).loss());
    assertThat(run(43).weightsSha256()).isNotEqualTo(first.weightsSha256());
  }

  private static TrainingResult run(long seed) throws IOException, TranslateException {
    DemoInput input =
        new DemoInput(
            "digits-300",
            "v1",
            "300 digits",
            new DigitsDataset(DIGITS, IntStream.range(0, 300).toArray()),
            new DigitsDataset(DIGITS, IntStream.range(300, 400).toArray()),
            new Shape(1, 32, 32),
            Networks.digits(10));
    try (Training training = new Training(input, seed, 64);
        Progress progress = Progress.start("test", 300)) {
      List<EpochResult> epochs = new ArrayList<>();
      for (int epoch = 1; epoch <= 2; epoch++) {
        epochs.add(training.epoch(epoch, SampleSource.origin(input), progress));
      }
      return new TrainingResult(epochs, training.accuracy(input.test()), training.weightsSha256());
    }
  }
}
