package io.trainingday.grid;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;

/** The partition of an index is what the contract says, for every language. */
class PartitionGoldenTest {
  private static final Path GOLDEN = Path.of("../cache-client/contract/golden/placement.json");

  @Test
  void goldenIndices_areInTheirPartitions() throws Exception {
    JsonNode vectors = new ObjectMapper().readTree(GOLDEN.toFile()).get("partitionOf");
    assertThat(vectors).hasSizeGreaterThan(50);
    for (JsonNode vector : vectors) {
      long index = vector.get("index").asLong();
      int partitions = vector.get("partitions").asInt();
      int expected = vector.get("partition").asInt();
      assertThat(BoundedLoadAffinity.partition(index, partitions))
          .as("%s", vector)
          .isEqualTo(expected);
      // What Ignite asks: the affinity key is a long.
      assertThat(new BoundedLoadAffinity(partitions).partition(index)).isEqualTo(expected);
    }
  }
}
