package io.trainingday.sampling;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import com.sun.management.ThreadMXBean;
import io.trainingday.sampling.EpochPlan.Order;
import io.trainingday.sampling.EpochPlan.Strategy;
import io.trainingday.sampling.EpochPlan.Tail;
import java.lang.management.ManagementFactory;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.stream.IntStream;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

class EpochPlanTest {
  private static final long SEED = 11;
  private static final int HOSTS = 4;

  @ParameterizedTest
  @EnumSource(names = {"EXACT", "PLAIN"})
  void everyStep_readsTheWindowOfTheOrder_inEqualCounts(Strategy strategy) {
    long samples = 1_003;
    for (int world : new int[] {1, 2, 3, 4, 8}) {
      for (Tail tail : Tail.values()) {
        for (long epoch = 0; epoch < 3; epoch++) {
          EpochPlan plan =
              plan(samples, world).batch(6).tail(tail).strategy(strategy).epoch(epoch).build();
          KeyedBijection order = new KeyedBijection(samples, Mix.base(SEED, epoch));
          long position = 0;
          for (long step = 0; step < plan.steps(); step++) {
            long[] read = read(plan, step);
            long first = position;
            assertThat(sorted(read))
                .isEqualTo(
                    sorted(
                        LongStream.range(first, first + read.length)
                            .map(p -> order.apply(p % samples))
                            .toArray()));
            assertCounts(plan, step, read.length, tail == Tail.UNEVEN);
            position += read.length;
          }
          switch (tail) {
            case DROP -> assertThat(position).isEqualTo(samples / (6L * world) * 6 * world);
            case PAD -> assertThat(position).isEqualTo((samples + world - 1) / world * world);
            case UNEVEN -> assertThat(position).isEqualTo(samples);
          }
        }
      }
    }
  }

  private static void assertCounts(EpochPlan plan, long step, int all, boolean uneven) {
    double weights = 0;
    for (int rank = 0; rank < plan.worldSize(); rank++) {
      int count = plan.indices(step, rank).length;
      assertThat(count).isEqualTo(plan.count(step, rank));
      assertThat(Math.abs(count - (double) all / plan.worldSize())).isLessThan(uneven ? 1 : 1e-9);
      assertThat(plan.weight(step, rank))
          .isEqualTo((double) plan.worldSize() * count / all, within(1e-12));
      weights += plan.weight(step, rank);
    }
    assertThat(weights).isEqualTo(plan.worldSize(), within(1e-9));
  }

  @ParameterizedTest
  @EnumSource
  void globalBatch_thatRanksDoNotDivide_countsDifferByOne(Tail tail) {
    EpochPlan plan = plan(500, 7).globalBatch(45).tail(tail).build();
    List<Long> all = new ArrayList<>();
    for (long step = 0; step < plan.steps(); step++) {
      long[] read = read(plan, step);
      assertCounts(plan, step, read.length, true);
      LongStream.of(read).forEach(all::add);
    }
    assertThat(new HashSet<>(all)).hasSize(tail == Tail.DROP ? 495 : 500);
    assertThat(all).hasSize(tail == Tail.DROP ? 495 : tail == Tail.PAD ? 502 : 500);
  }

  @Test
  void lastStepOfFewerSamplesThanRanks_givesSomeAStandIn_ofNoWeight() {
    EpochPlan plan = plan(67, 8).batch(8).tail(Tail.UNEVEN).build();
    assertThat(plan.count(1, 2)).isEqualTo(1);
    assertThat(plan.count(1, 3)).isZero();
    assertThat(plan.weight(1, 3)).isZero();
    List<long[]> batches = new ArrayList<>();
    plan.batches(3).forEachRemaining(batches::add);
    assertThat(batches.get(1)).containsExactly(plan.standIn(1, 3));
    assertThat(plan.all(1)[0]).isEqualTo(plan.standIn(1, 3));
  }

  /** 4 → 3 → 7 → 2 ranks, the batch of a rank stays; each stop is in the middle of the epoch. */
  @ParameterizedTest
  @EnumSource
  void stoppedAndResumed_withOtherWorlds_oneOrder_nothingTwice_nothingMissing(Tail tail) {
    long samples = 2_000;
    KeyedBijection order = new KeyedBijection(samples, Mix.base(SEED, 5));
    List<Long> read = new ArrayList<>();
    PlanState state = new PlanState(Order.KEYED, false, SEED, 5, samples, 0, 0, 0);
    for (int world : new int[] {4, 3, 7, 2}) {
      EpochPlan plan = plan(samples, world).batch(10).tail(tail).resume(state).build();
      assertThat(plan.epoch()).isEqualTo(5);
      long steps = world == 2 ? plan.steps() : 9;
      for (long step = 0; step < steps; step++) {
        LongStream.of(read(plan, step)).forEach(read::add);
        assertThat(plan.all(step)).startsWith(order.apply((read.size() - read(plan, step).length)));
      }
      state = PlanState.parse(plan.state(steps).toBytes());
      assertThat(plan.state(steps).toBytes()).hasSizeLessThanOrEqualTo(128);
    }
    assertThat(state.isEnd()).isTrue();
    assertThat(read).hasSize((int) samples).doesNotHaveDuplicates();

    EpochPlan over = plan(samples, 5).batch(10).tail(tail).resume(state).build();
    assertThat(over.steps()).isZero();
    assertThat(PlanState.parse(over.state(0).toBytes())).isEqualTo(state);
  }

  @Test
  void stoppedAtAnyStep_andAgainInTheSameEpoch_goesOnWithTheSameWindows() {
    EpochPlan whole = plan(640, 4).batch(8).tail(Tail.DROP).build();
    for (long first = 0; first <= whole.steps(); first++) {
      EpochPlan second = plan(640, 4).batch(8).tail(Tail.DROP).resume(whole.state(first)).build();
      assertThat(second.steps()).isEqualTo(whole.steps() - first);
      long more = second.steps() / 2;
      EpochPlan third = plan(640, 4).batch(8).tail(Tail.DROP).resume(second.state(more)).build();
      for (long step = 0; step < third.steps(); step++) {
        for (int rank = 0; rank < 4; rank++) {
          assertThat(third.indices(step, rank)).isEqualTo(whole.indices(first + more + step, rank));
        }
      }
    }
  }

  @Test
  void stateOfAnEpochWhoseTailWasDropped_isItsEnd_evenForASmallerWorld() {
    EpochPlan plan = plan(100, 8).batch(8).tail(Tail.DROP).build();
    assertThat(plan.steps()).isOne();
    PlanState end = plan.state(1);
    assertThat(plan(100, 1).batch(8).tail(Tail.DROP).resume(end).build().steps()).isZero();
  }

  @ParameterizedTest
  @EnumSource
  void slices_areAllLocal_disjoint_andShuffled(Tail tail) {
    long samples = 4_099;
    EpochPlan plan = plan(samples, 8).batch(16).tail(tail).strategy(Strategy.SLICE).build();
    assertThat(plan.predictedLocalShare()).isEqualTo(1);
    List<Long> all = new ArrayList<>();
    for (long step = 0; step < plan.steps(); step++) {
      for (int rank = 0; rank < 8; rank++) {
        for (long index : plan.indices(step, rank)) {
          assertThat(plan.isLocal(index, rank)).isTrue();
          all.add(index);
        }
      }
    }
    Set<Long> different = new HashSet<>(all);
    if (tail == Tail.DROP) {
      assertThat(all).hasSameSizeAs(different).hasSizeGreaterThan(3_900);
    } else {
      assertThat(different).hasSize((int) samples);
    }
    EpochPlan next =
        plan(samples, 8).batch(16).tail(tail).strategy(Strategy.SLICE).epoch(1).build();
    assertThat(next.indices(0, 0)).isNotEqualTo(plan.indices(0, 0));
    EpochPlan resumed =
        plan(samples, 8)
            .batch(16)
            .tail(tail)
            .strategy(Strategy.SLICE)
            .resume(plan.state(7))
            .build();
    assertThat(resumed.indices(0, 5)).isEqualTo(plan.indices(7, 5));
  }

  @ParameterizedTest
  @ValueSource(ints = {256, 1_024, 4_096})
  void localShare_isAsPredicted(int batch) {
    EpochPlan plan = plan(200_000, HOSTS).globalBatch(batch).tail(Tail.DROP).build();
    long local = 0;
    for (long step = 0; step < plan.steps(); step++) {
      for (int rank = 0; rank < HOSTS; rank++) {
        long own = rank;
        local +=
            LongStream.of(plan.indices(step, rank))
                .filter(index -> plan.isLocal(index, (int) own))
                .count();
      }
    }
    double share = (double) local / (plan.steps() * batch);
    assertThat(share).isEqualTo(plan.predictedLocalShare(), within(0.003));
    assertThat(plan.predictedLocalShare())
        .isEqualTo(1 - Math.sqrt((HOSTS - 1) / (2 * Math.PI * batch)), within(0.002));
  }

  @Test
  void plan_doesNotKnowOfTheGrid_onlyOfItsSnapshot() {
    OwnershipSnapshot snapshot = snapshot(HOSTS);
    EpochPlan before = plan(1_000, 4).batch(5).tail(Tail.PAD).build();
    EpochPlan same =
        EpochPlan.builder(1_000, SEED, 4)
            .batch(5)
            .tail(Tail.PAD)
            .ownership(OwnershipSnapshot.parse(snapshot.toBytes()), hosts(4))
            .build();
    EpochPlan moved =
        EpochPlan.builder(1_000, SEED, 4)
            .batch(5)
            .tail(Tail.PAD)
            .ownership(snapshot(3), hosts(4))
            .build();
    boolean differs = false;
    for (long step = 0; step < before.steps(); step++) {
      for (int rank = 0; rank < 4; rank++) {
        assertThat(same.indices(step, rank)).isEqualTo(before.indices(step, rank));
        differs |= !Arrays.equals(moved.indices(step, rank), before.indices(step, rank));
      }
      assertThat(sorted(read(moved, step))).isEqualTo(sorted(read(before, step)));
    }
    assertThat(differs).isTrue();
  }

  /** Nothing is kept by sample: what a plan and its first batch take at all is little. */
  @Test
  void planOfABillion_andItsFirstBatch_takeLessThan64KiB() {
    ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
    OwnershipSnapshot snapshot = snapshot(HOSTS);
    List<String> hosts = hosts(HOSTS);
    long least = Long.MAX_VALUE;
    for (int round = 0; round < 5; round++) {
      long before = threads.getCurrentThreadAllocatedBytes();
      EpochPlan plan =
          EpochPlan.builder(1_000_000_000, round, HOSTS)
              .batch(1_024)
              .tail(Tail.DROP)
              .ownership(snapshot, hosts)
              .build();
      int read = plan.indices(0, 1).length;
      least = Math.min(least, threads.getCurrentThreadAllocatedBytes() - before);
      assertThat(read).isEqualTo(1_024);
    }
    assertThat(least).isLessThan(64 << 10);
  }

  @Test
  void visits_addUpToThePlan_andTellWhatWentWrong() {
    EpochPlan plan = plan(1_000, 4).batch(5).tail(Tail.UNEVEN).build();
    VisitSum expected = plan.visits(plan.steps());
    VisitSum sum = VisitSum.NONE;
    VisitSum twice = VisitSum.NONE;
    VisitSum all = VisitSum.NONE;
    for (int rank = 0; rank < 4; rank++) {
      VisitSum own = VisitSum.NONE;
      for (long step = 0; step < plan.steps(); step++) {
        long[] indices = plan.indices(step, rank);
        own = own.with(indices);
        if (step % 4 == rank) {
          twice = twice.with(indices);
        }
        all = all.with(plan.all(step));
      }
      sum = sum.plus(own);
    }
    assertThat(expected.count()).isEqualTo(1_000);
    assertThat(sum.verdict(expected, plan)).isEqualTo(VisitSum.Verdict.COMPLETE);
    assertThat(twice.verdict(expected, plan)).isEqualTo(VisitSum.Verdict.SHARDED_TWICE);
    assertThat(all.verdict(expected, plan)).isEqualTo(VisitSum.Verdict.NOT_SHARDED);
    assertThat(sum.with(3).verdict(expected, plan)).isEqualTo(VisitSum.Verdict.INCOMPLETE);
    VisitSum swapped = new VisitSum(expected.count(), expected.checksum() + 1);
    assertThat(swapped.verdict(expected, plan)).isEqualTo(VisitSum.Verdict.DIFFERENT);
  }

  private static EpochPlan.Builder plan(long samples, int world) {
    return EpochPlan.builder(samples, SEED, world).ownership(snapshot(HOSTS), hosts(world));
  }

  private static OwnershipSnapshot snapshot(int hosts) {
    return OwnershipSnapshot.of(
        hosts, IntStream.range(0, 1_024).mapToObj(p -> List.of("host-" + p % hosts)).toList());
  }

  private static List<String> hosts(int world) {
    return IntStream.range(0, world).mapToObj(rank -> "host-" + rank % HOSTS).toList();
  }

  private static long[] read(EpochPlan plan, long step) {
    return IntStream.range(0, plan.worldSize())
        .mapToObj(rank -> plan.indices(step, rank))
        .flatMapToLong(LongStream::of)
        .toArray();
  }

  private static long[] sorted(long[] values) {
    return LongStream.of(values).sorted().toArray();
  }
}
