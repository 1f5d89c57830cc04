package io.trainingday.bench.cold;

import static org.assertj.core.api.Assertions.assertThat;

import io.trainingday.bench.report.Report;
import io.trainingday.cli.AnswerSchemas;
import io.trainingday.cli.ChecksAnswer;
import java.util.List;
import org.junit.jupiter.api.Test;

final class ColdBenchTest {
  @Test
  @ChecksAnswer("bench cold")
  void epochs_withoutAndWithTheCache_eachGiveARow() {
    List<ColdReport.Row> rows = new ColdBench(200, 20_000, 500_000).run();

    assertThat(rows).extracting(ColdReport.Row::cached).containsExactly(false, true, true);
    assertThat(rows).extracting(ColdReport.Row::epoch).containsExactly(1, 1, 2);
    assertThat(rows).extracting(ColdReport.Row::hits).containsExactly(0L, 0L, 200L);
    assertThat(rows).allSatisfy(row -> assertThat(row.seconds()).isPositive());
    assertThat(rows.get(0).seconds()).isGreaterThan(0.1);
    AnswerSchemas.check(
        "bench cold", new ColdReport(Report.Machine.here(), 200, 20_000, 0.5, rows));
  }
}
