package io.trainingday.node.versions;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;

class SampleVersionTest {
  @Test
  void versions_ofOneGeneration_differByTheirPublishes() {
    long[] versions = LongStream.range(0, 50).map(i -> SampleVersion.of(7, "r" + i)).toArray();

    assertThat(versions).doesNotHaveDuplicates();
    assertThat(LongStream.of(versions).map(SampleVersion::generation)).containsOnly(7L);
  }

  @Test
  void versions_grow_whateverTheRequestsAreCalled() {
    long[] versions = LongStream.range(0, 50).map(i -> SampleVersion.of(i, "r" + i)).toArray();

    assertThat(versions).isSorted();
  }

  @Test
  void repeatedRequest_makesTheSameVersion() {
    assertThat(SampleVersion.of(3, "again")).isEqualTo(SampleVersion.of(3, "again"));
  }
}
