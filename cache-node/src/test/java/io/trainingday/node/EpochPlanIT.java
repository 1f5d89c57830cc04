package io.trainingday.node;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import io.trainingday.client.BatchStream;
import io.trainingday.client.CachedSamples;
import io.trainingday.client.DatasetSpec;
import io.trainingday.client.EpochOwnership;
import io.trainingday.client.RankGroup;
import io.trainingday.client.ReadShape;
import io.trainingday.client.SampleBatch;
import io.trainingday.client.TrainingCache;
import io.trainingday.processes.NodeProcess;
import io.trainingday.sampling.EpochPlan;
import io.trainingday.sampling.EpochPlan.Tail;
import io.trainingday.sampling.VisitSum;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/** Three nodes, and beside each a trainer process that reads its part of an epoch. */
@ExtendWith(LocalGridLogs.class)
class EpochPlanIT {
  private static final int SAMPLES = 24_000;
  private static final int BATCH = 200;
  private static final int RANKS = 3;
  private static final Pictures PICTURES = new Pictures(100);
  private static final DatasetSpec SPEC = Pictures.spec("planned", SAMPLES);

  @Test
  void ranksOnThreeHosts_agreeThroughTheGrid_andReadAsLocallyAsPredicted() throws Exception {
    try (LocalGrid grid = LocalGrid.of(RANKS).start()) {
      load(grid);
      VisitSum read = VisitSum.NONE;
      List<String> plans = new ArrayList<>();
      List<ChildJvm> trainers = new ArrayList<>();
      try {
        for (int rank = 0; rank < RANKS; rank++) {
          String address = "unix:" + grid.node(rank).endpoints().socket();
          trainers.add(new ChildJvm(List.of(), Trainer.class, address, rank));
        }
        for (ChildJvm trainer : trainers) {
          List<String> said = List.of(trainer.hear().split(" "));
          read = read.plus(new VisitSum(Long.parseLong(said.get(0)), Long.parseLong(said.get(1))));
          plans.add(said.get(2) + " " + said.get(3));
          trainer.endsWell();
        }
      } finally {
        trainers.forEach(ChildJvm::close);
      }
      assertThat(plans).containsOnly(plans.get(0));
      List<String> plan = List.of(plans.get(0).split(" "));
      assertThat(read.count() + "/" + read.checksum()).isEqualTo(plan.get(1));
      double local = hits(grid, "local");
      assertThat(local + hits(grid, "peer")).isEqualTo(SAMPLES);
      assertThat(local / SAMPLES).isCloseTo(Double.parseDouble(plan.get(0)), within(0.01));
    }
  }

  private static void load(LocalGrid grid) throws InterruptedException {
    try (TrainingCache cache = grid.connect(grid.node(0));
        CachedSamples samples = cache.open(SPEC)) {
      for (long from = 0; from < SAMPLES; from += BATCH) {
        long[] indices = LongStream.range(from, from + BATCH).toArray();
        try (SampleBatch batch = samples.read(indices, ReadShape.COLLATED, PICTURES.loader())) {
          PICTURES.check(batch);
        }
      }
    }
    grid.awaitThat(
        "everything that was taken is written",
        Duration.ofSeconds(60),
        () -> {
          for (NodeProcess node : grid.nodes()) {
            if (grid.metric(node, "training_day_fill_inflight_bytes") > 0) {
              return node + " has yet to write";
            }
          }
          return "";
        });
  }

  private static double hits(LocalGrid grid, String source) throws Exception {
    double hits = 0;
    for (NodeProcess node : grid.nodes()) {
      hits +=
          grid.metric(
              node, "training_day_reads_total", "source=\"" + source + "\"", "result=\"hit\"");
    }
    return hits;
  }

  /** One rank: agrees with the others, reads its part, says what it read and what was planned. */
  static final class Trainer {
    private Trainer() {}

    public static void main(String[] arguments) {
      int rank = Integer.parseInt(arguments[1]);
      TrainingCache.Config config = TrainingCache.Config.builder().address(arguments[0]).build();
      try (TrainingCache cache = TrainingCache.connect(config);
          CachedSamples samples = cache.open(SPEC)) {
        EpochOwnership agreed =
            samples.agree(new RankGroup("planned", "0", rank, RANKS, Duration.ofSeconds(60)), 3);
        EpochPlan plan =
            EpochPlan.builder(SAMPLES, 1, RANKS)
                .epoch(3)
                .batch(BATCH)
                .tail(Tail.UNEVEN)
                .ownership(agreed.snapshot(), agreed.rankHosts())
                .build();
        VisitSum read = VisitSum.NONE;
        try (BatchStream batches =
            samples.stream(plan.batches(rank), ReadShape.COLLATED, PICTURES.loader(), 8, 1 << 20)) {
          while (batches.hasNext()) {
            try (SampleBatch batch = batches.next()) {
              PICTURES.check(batch);
              for (int i = 0; i < batch.size(); i++) {
                read = read.with(batch.index(i));
              }
            }
          }
        }
        VisitSum planned = plan.visits(plan.steps());
        ChildJvm.say(
            "%d %d %s %d/%d"
                .formatted(
                    read.count(),
                    read.checksum(),
                    plan.predictedLocalShare(),
                    planned.count(),
                    planned.checksum()));
      }
    }
  }
}
