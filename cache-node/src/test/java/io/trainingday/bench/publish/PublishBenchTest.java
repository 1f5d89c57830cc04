package io.trainingday.bench.publish;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import io.trainingday.bench.report.Report;
import io.trainingday.cli.AnswerSchemas;
import io.trainingday.cli.ChecksAnswer;
import io.trainingday.client.CacheAdmin;
import io.trainingday.client.TrainingCache;
import io.trainingday.node.LocalGrid;
import io.trainingday.node.LocalGridLogs;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

@ExtendWith(LocalGridLogs.class)
final class PublishBenchTest {
  private static final int WARM_UPS = 2;
  private static final int REPEATS = 5;

  @Test
  @ChecksAnswer("bench publish")
  void eachSize_isPublishedAndGivesARow() throws Exception {
    List<String> progress = new ArrayList<>();
    try (LocalGrid grid = LocalGrid.of(2).start()) {
      String address = "unix:" + grid.node(0).endpoints().socket();
      PublishBench.Plan plan = new PublishBench.Plan(List.of(100, 20_000), 16, WARM_UPS, REPEATS);

      List<PublishReport.Row> rows = new PublishBench(address, plan, progress::add).run();

      assertThat(rows).extracting(PublishReport.Row::entries).containsExactly(100, 20_000);
      assertThat(rows)
          .allSatisfy(
              row -> {
                assertThat(row.publishes()).isEqualTo(REPEATS);
                assertThat(row.minMicros()).isPositive();
                assertThat(row.medianMicros()).isBetween(row.minMicros(), row.p99Micros());
              });
      AnswerSchemas.check(
          "bench publish",
          new PublishReport(Report.Machine.here(), 2, false, plan.changed(), rows));
      try (CacheAdmin admin =
          CacheAdmin.connect(TrainingCache.Config.builder().address(address).build())) {
        for (JsonNode dataset : new JsonMapper().readTree(admin.datasets())) {
          assertThat(dataset.path("generation").asInt()).isEqualTo(WARM_UPS + REPEATS);
        }
      }
    }
    assertThat(progress)
        .containsExactly("filling 100 entries", "filling 20,000 entries", "publishing");
  }

  @Test
  void report_isATableForPeople() {
    PublishReport report =
        new PublishReport(
            new Report.Machine(2, "jvm", "os", 1),
            3,
            true,
            16,
            List.of(
                new PublishReport.Row(1_000, 2_100.04, 1_900, 4_000, 100),
                new PublishReport.Row(1_000_000, 2_300, 2_000, 5_000, 100)));

    assertThat(report.text().lines())
        .startsWith(
            "     entries    median µs       min µs       p99 µs",
            "       1,000      2,100.0      1,900.0      4,000.0",
            "   1,000,000      2,300.0      2,000.0      5,000.0")
        .contains(
            "on a grid of 3 nodes, each in a process of its own, with a disk tier; the data sets took"
                + " turns.");
  }
}
