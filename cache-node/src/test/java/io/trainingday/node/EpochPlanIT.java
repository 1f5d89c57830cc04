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
import io.trainingday.client.SampleLoader;
import io.trainingday.client.TrainingCache;
import io.trainingday.processes.NodeProcess;
import io.trainingday.sampling.EpochPlan;
import io.trainingday.sampling.EpochPlan.Tail;
import io.trainingday.sampling.VisitSum;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.atomic.LongAdder;
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

  /** What the ranks read and loaded together, and what each planned, which must be one thing. */
  private record Epoch(VisitSum read, long loads, double predictedLocalShare, VisitSum planned) {}

  @Test
  void ranksOnThreeHosts_agreeThroughTheGrid_andReadAsLocallyAsPredicted() throws Exception {
    try (LocalGrid grid = LocalGrid.of(RANKS).start()) {
      load(grid);
      Epoch epoch = epoch(grid, 3, () -> {});

      assertThat(epoch.read()).isEqualTo(epoch.planned());
      assertThat(epoch.loads()).isZero();
      double local = hits(grid, "local");
      assertThat(local + hits(grid, "peer")).isEqualTo(SAMPLES);
      assertThat(local / SAMPLES).isCloseTo(epoch.predictedLocalShare(), within(0.01));

      Epoch later = epoch(grid, 4, () -> join(grid));

      assertThat(later.read()).isEqualTo(later.planned());
      assertThat(later.loads()).isZero();
      assertThat(grid.metric(grid.node(RANKS), "training_day_peer_samples_served_total"))
          .as("read where they have moved to in the middle of the epoch")
          .isPositive();
    }
  }

  private interface InTheMiddle {
    void happens() throws Exception;
  }

  private static Epoch epoch(LocalGrid grid, int epoch, InTheMiddle inTheMiddle) throws Exception {
    VisitSum read = VisitSum.NONE;
    long loads = 0;
    Set<String> plans = new HashSet<>();
    List<ChildJvm> trainers = new ArrayList<>();
    try {
      for (int rank = 0; rank < RANKS; rank++) {
        String address = "unix:" + grid.node(rank).endpoints().socket();
        trainers.add(new ChildJvm(List.of(), Trainer.class, address, rank, epoch));
      }
      for (ChildJvm trainer : trainers) {
        assertThat(trainer.hear()).isEqualTo("half");
      }
      inTheMiddle.happens();
      for (ChildJvm trainer : trainers) {
        trainer.tell("go");
      }
      for (ChildJvm trainer : trainers) {
        List<String> said = List.of(trainer.hear().split(" "));
        read = read.plus(new VisitSum(Long.parseLong(said.get(0)), Long.parseLong(said.get(1))));
        loads += Long.parseLong(said.get(2));
        plans.add(String.join(" ", said.subList(3, 6)));
        trainer.endsWell();
      }
    } finally {
      trainers.forEach(ChildJvm::close);
    }
    assertThat(plans).as("what the ranks planned").hasSize(1);
    List<String> plan = List.of(plans.iterator().next().split(" "));
    return new Epoch(
        read,
        loads,
        Double.parseDouble(plan.get(0)),
        new VisitSum(Long.parseLong(plan.get(1)), Long.parseLong(plan.get(2))));
  }

  private static void join(LocalGrid grid) throws InterruptedException {
    NodeProcess fourth = grid.add();
    grid.awaitSettled();
    grid.awaitThat(
        "partitions have moved to the node that joined",
        Duration.ofSeconds(60),
        () ->
            grid.metric(fourth, "training_day_primary_partitions") > 0
                    && grid.metric(fourth, "training_day_arriving_partitions") == 0
                ? ""
                : "it waits for them");
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
    grid.awaitWritten();
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

  /**
   * One rank: agrees with the others, reads half of its part and says so, waits to be told to go
   * on; says what it read, what it loaded and what was planned.
   */
  static final class Trainer {
    private Trainer() {}

    public static void main(String[] arguments) throws IOException {
      int rank = Integer.parseInt(arguments[1]);
      int epoch = Integer.parseInt(arguments[2]);
      LongAdder loads = new LongAdder();
      SampleLoader counted =
          index -> {
            loads.increment();
            return PICTURES.load(index);
          };
      TrainingCache.Config config = TrainingCache.Config.builder().address(arguments[0]).build();
      try (TrainingCache cache = TrainingCache.connect(config);
          CachedSamples samples = cache.open(SPEC)) {
        EpochOwnership agreed =
            samples.agree(
                new RankGroup("planned", "0", rank, RANKS, Duration.ofSeconds(60)), epoch);
        EpochPlan plan =
            EpochPlan.builder(SAMPLES, 1, RANKS)
                .epoch(epoch)
                .batch(BATCH)
                .tail(Tail.UNEVEN)
                .ownership(agreed.snapshot(), agreed.rankHosts())
                .build();
        VisitSum read = VisitSum.NONE;
        try (BatchStream batches =
            samples.stream(plan.batches(rank), ReadShape.COLLATED, counted, 8, 1 << 20)) {
          for (long step = 0; batches.hasNext(); step++) {
            if (step == plan.steps() / 2) {
              ChildJvm.say("half");
              if (System.in.read() < 0) {
                throw new IllegalStateException("the test is gone");
              }
            }
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
            "%d %d %d %s %d %d"
                .formatted(
                    read.count(),
                    read.checksum(),
                    loads.sum(),
                    plan.predictedLocalShare(),
                    planned.count(),
                    planned.checksum()));
      }
    }
  }
}
