package io.trainingday.sampling;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;

class PlanVectorsTest {
  private static final Path GOLDEN = Path.of("contract/golden/plan.json");

  @Test
  void vectors_areThoseOfTheCode() throws IOException {
    if (Boolean.getBoolean("regenerate")) {
      Files.writeString(GOLDEN, PlanVectors.json());
    }

    assertThat(Files.readString(GOLDEN)).isEqualTo(PlanVectors.json());
  }
}
