package io.trainingday.node.fill;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class InFlightBytesTest {
  @Test
  void record_largerThanTheBudget_isNeverTaken() {
    InFlightBytes bytes = new InFlightBytes(1_000);
    assertThat(bytes.couldTake(1_000)).isFalse();
    assertThat(bytes.tryTake(1_000)).isFalse();
    assertThat(bytes.tryTake(600)).isTrue();
    assertThat(bytes.tryTake(600)).isFalse();
    bytes.give(600);
    assertThat(bytes.bytes()).isZero();
  }

  @Test
  void orOneRecord_takesALargerOneAlone() {
    InFlightBytes bytes = InFlightBytes.orOneRecord(1_000);
    assertThat(bytes.couldTake(5_000)).isTrue();
    assertThat(bytes.tryTake(5_000)).isTrue();
    assertThat(bytes.tryTake(1)).isFalse();
    bytes.give(5_000);
    assertThat(bytes.tryTake(100)).isTrue();
    assertThat(bytes.tryTake(5_000)).isFalse();
  }
}
