package io.trainingday.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import io.trainingday.client.CachedSamples;
import io.trainingday.client.DatasetSpec;
import io.trainingday.client.ReadShape;
import io.trainingday.client.TrainingCache;
import io.trainingday.node.CacheNode;
import io.trainingday.node.TestNodes;
import io.trainingday.record.DType;
import io.trainingday.record.SampleRecord;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** {@code drain} against a node that a trainer reads from. */
class DrainCommandTest {
  private static final long[] ALL = {0, 1, 2, 3};

  private static SampleRecord load(long index) {
    return SampleRecord.builder()
        .tensor("x", DType.U8, new long[] {8}, ByteBuffer.allocate(8).putLong(0, index))
        .build();
  }

  @Test
  void drain_saysWhatIsLost_sendsTrainersAway_thenStops(@TempDir Path directory)
      throws IOException {
    try (CacheNode node = CacheNode.launch(TestNodes.settings(directory).build());
        TrainingCache cache =
            TrainingCache.connect(
                TrainingCache.Config.builder().address("unix:" + node.socket()).build());
        CachedSamples samples =
            cache.open(DatasetSpec.builder("pets").pipeline("p").sourceLength(4).build())) {
      String address = "unix:" + node.socket();
      samples.read(ALL, ReadShape.COLLATED, DrainCommandTest::load).close();

      CommandLineRun unasked = CommandLineRun.of("drain", "--address", address);
      assertThat(unasked.exitCode()).isEqualTo(Exit.UNCONFIRMED.code());
      assertThat(unasked.err()).contains("stops the node").contains("--yes");
      assertThat(node.stats().notReady()).isEmpty();

      CommandLineRun stay =
          CommandLineRun.of("drain", "--yes", "--stay", "--json", "--address", address);
      assertThat(stay.exitCode()).as(stay.err()).isZero();
      JsonNode report = new JsonMapper().readTree(stay.out());
      assertThat(names(report)).containsExactlyInAnyOrderElementsOf(required());
      assertThat(report.path("stops").asBoolean()).isFalse();
      assertThat(report.path("trainersStaying").asInt()).isZero();
      assertThat(report.path("lost")).hasSize(1);
      assertThat(report.at("/lost/0/dataset").asText()).isEqualTo("default/pets");
      assertThat(report.at("/lost/0/records").asInt()).isEqualTo(4);
      assertThat(node.stats().notReady()).contains("stopping");
      assertThat(node.isStopWanted()).isFalse();
      // Nobody else is there: the origin, without an error.
      long loads = samples.stats().originLoads();
      samples.read(ALL, ReadShape.COLLATED, DrainCommandTest::load).close();
      assertThat(samples.stats().originLoads()).isEqualTo(loads + 4);

      CommandLineRun stop = CommandLineRun.of("drain", "--yes", "--address", address);
      assertThat(stop.exitCode()).isZero();
      assertThat(stop.out())
          .contains("no other node is there to take anything")
          .contains("default/pets: 4 records are lost, to be loaded again (backups 0, tier memory)")
          .contains("the node stops");
      assertThat(node.isStopWanted()).isTrue();
    }
  }

  private static List<String> names(JsonNode object) {
    List<String> names = new ArrayList<>();
    object.fieldNames().forEachRemaining(names::add);
    return names;
  }

  private static List<String> required() throws IOException {
    try (InputStream schema = DrainCommand.class.getResourceAsStream("schema/drain.json")) {
      List<String> required = new ArrayList<>();
      new JsonMapper().readTree(schema).path("required").forEach(key -> required.add(key.asText()));
      return required;
    }
  }
}
