package io.trainingday.node;

import static org.assertj.core.api.Assertions.assertThat;

import io.trainingday.config.Portion;
import io.trainingday.config.Settings.Policy;
import io.trainingday.config.Settings.Tier;
import io.trainingday.node.capacity.Capacity;
import io.trainingday.node.capacity.DatasetTerms;
import io.trainingday.node.capacity.Refusal;
import io.trainingday.node.lane.LaneStats;
import io.trainingday.node.metrics.NodeStats;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

/** What a node says of its data sets. */
class DatasetReportTest {
  private static final long ONE = 11;
  private static final long OTHER = 22;
  private static final Capacity.Use ON_DISK = new Capacity.Use(ONE, 1, 100, 10_000);
  private static final Capacity.Use OTHERS = new Capacity.Use(OTHER, 1, 5, 60_000);

  /** A data set of 1,000 samples of some 100 bytes. */
  private static Capacity.Share share(
      Tier tier, Policy policy, long records, @Nullable Double best, long refused) {
    DatasetTerms terms =
        new DatasetTerms(
            "default/one", 1_000, 0, tier, policy, Portion.ofPercent(100), Portion.ofPercent(0));
    return new Capacity.Share(
        ONE,
        terms,
        records,
        100 * records,
        30_000,
        best,
        1_000,
        100,
        Map.of(Refusal.BUDGET, refused),
        0,
        0,
        0);
  }

  private static LaneStats.Reads reads(
      long timedLoads, long loadNanos, long timedReads, long readNanos) {
    LaneStats.Source none = new LaneStats.Source(0, 0, 0);
    return new LaneStats.Reads(
        "default/one",
        1,
        none,
        none,
        0,
        0,
        0,
        0,
        0,
        0,
        timedLoads,
        loadNanos,
        timedReads,
        readNanos,
        none,
        LaneStats.Work.NONE);
  }

  private static NodeStats.Dataset report(
      LaneStats.Reads reads, Capacity.Share share, DatasetReport.Disk disk) {
    return DatasetReport.of("host", List.of(reads), List.of(share), disk.uses(), disk).get(0);
  }

  private static NodeStats.Dataset report(Capacity.Share share, DatasetReport.Disk disk) {
    return report(reads(0, 0, 0, 0), share, disk);
  }

  @Test
  void disk_mayHaveWhatOthersHaveNot() {
    DatasetReport.Disk disk = new DatasetReport.Disk(100_000, List.of(ON_DISK, OTHERS));

    NodeStats.Dataset report = report(share(Tier.DISK, Policy.LRU, 0, null, 0), disk);

    assertThat(report.entries()).isEqualTo(100);
    assertThat(report.budgetBytes()).isEqualTo(40_000);
    assertThat(report.bestHitRate()).isEqualTo(0.4);
    assertThat(report.warnings()).as("nothing gives way on disk, whatever the policy").isEmpty();
  }

  @Test
  void disk_thatOthersHaveUsedUp_isTooLittleToMatter() {
    DatasetReport.Disk disk = new DatasetReport.Disk(62_000, List.of(OTHERS));

    assertThat(report(share(Tier.DISK, Policy.PIN, 0, null, 0), disk))
        .satisfies(
            report -> {
              assertThat(report.bestHitRate()).isEqualTo(0.02);
              assertThat(report.warnings())
                  .containsExactly(
                      "the budget holds 2.0 % of the data set, too little to matter; raise"
                          + " disk.maxSize, or add nodes");
            });
  }

  @Test
  void hybrid_findsWhatTheLargerOfBothHolds() {
    Capacity.Share share = share(Tier.HYBRID, Policy.PIN, 100, 0.3, 0);
    DatasetReport.Disk large = new DatasetReport.Disk(100_000, List.of(ON_DISK));
    DatasetReport.Disk small = new DatasetReport.Disk(10_000, List.of(ON_DISK));

    assertThat(report(share, large).bestHitRate()).isEqualTo(1);
    assertThat(report(share, large).budgetBytes()).isEqualTo(100_000);
    assertThat(report(share, small).bestHitRate()).isEqualTo(0.3);
    assertThat(report(share, small).budgetBytes()).isEqualTo(30_000);
  }

  @Test
  void nothingHeldAndAllRefused_isSaidThoughNobodyReadsHere() {
    Capacity.Share share = share(Tier.MEMORY, Policy.LRU, 0, 0.01, 1_234);

    List<NodeStats.Dataset> all =
        DatasetReport.of("host", List.of(), List.of(share), List.of(), DatasetReport.Disk.NONE);

    assertThat(all)
        .singleElement()
        .satisfies(
            report -> {
              assertThat(report.bestHitRate()).isEqualTo(0.01);
              assertThat(report.warnings())
                  .containsExactly(
                      "none of its records is held, all 1,234 that came found no room; raise"
                          + " memory.maxSize or its quota, add nodes, or keep a part of the memory"
                          + " for it: `training-day dataset one guaranteed=10%`");
            });
  }

  @Test
  void loading_cheaperThanReading_isSaidOnceThereIsEnoughToTell() {
    Capacity.Share share = share(Tier.MEMORY, Policy.PIN, 100, 1.0, 0);
    long loads = 100 * 50_000;
    long reads = 1_000 * 80_000;

    assertThat(report(reads(100, loads, 1_000, reads), share, DatasetReport.Disk.NONE))
        .satisfies(
            report -> {
              assertThat(report.loadSeconds()).isEqualTo(50e-6);
              assertThat(report.readSeconds()).isEqualTo(80e-6);
              assertThat(report.warnings())
                  .containsExactly(
                      "a sample is loaded in 0.050 ms at most, and read from the cache in 0.080 ms:"
                          + " loading is cheaper, so cache it after more of the work, or not at"
                          + " all");
            });
    assertThat(report(reads(100, 2 * loads, 1_000, reads), share, DatasetReport.Disk.NONE))
        .satisfies(report -> assertThat(report.warnings()).isEmpty());
    assertThat(report(reads(99, 1, 1_000, reads), share, DatasetReport.Disk.NONE))
        .satisfies(
            report -> {
              assertThat(report.loadSeconds()).isNull();
              assertThat(report.warnings()).isEmpty();
            });
  }
}
