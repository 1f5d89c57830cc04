package io.trainingday.node.inquiry;

import static org.assertj.core.api.Assertions.assertThat;

import io.trainingday.node.inquiry.RecordWalk.Lack;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class LackTest {
  @ParameterizedTest
  @CsvSource({
    "2, 2, 2, 0, 0",
    "2, 2, 1, 1, 0",
    "3, 3, 1, 2, 0",
    // A node has just come, and does not hold all of the partition yet.
    "2, 1, 1, 0, 1",
    "3, 2, 1, 1, 1",
    // One that is to drop the partition still holds it.
    "2, 3, 2, 0, 0",
    "2, 3, 1, 1, 0",
  })
  void of_tellsMissingFromUnderWay(int wanted, int holders, int found, int missing, int underWay) {
    Lack lack = Lack.of(wanted, holders, found);

    assertThat(lack).isEqualTo(new Lack(missing, underWay));
    assertThat(lack.isAny()).isEqualTo(missing + underWay > 0);
  }
}
