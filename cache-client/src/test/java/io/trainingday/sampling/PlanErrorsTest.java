package io.trainingday.sampling;

import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.trainingday.sampling.EpochPlan.Order;
import io.trainingday.sampling.EpochPlan.Strategy;
import io.trainingday.sampling.EpochPlan.Tail;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.Test;

/** The words of contract/plan.md. */
class PlanErrorsTest {
  private final OwnershipSnapshot snapshot =
      OwnershipSnapshot.of(1, IntStream.range(0, 32).mapToObj(p -> List.of("h" + p % 2)).toList());
  private final EpochPlan plan = windows(100, 2).batch(10).build();

  @Test
  void numbersOutOfRange() {
    refused("samples=0, allowed: 1–281474976710656", () -> EpochPlan.builder(0, 1, 1));
    refused("world size=0, allowed: 1–65535", () -> EpochPlan.builder(9, 1, 0));
    refused("epoch=-1, allowed: 0–2147483647", () -> windows(9, 1).epoch(-1));
    refused("batch=0, allowed: 1–1048576", () -> windows(9, 1).batch(0));
    refused(
        "global batch=3 < world size=4, every rank needs a sample in each step",
        () -> windows(9, 4).globalBatch(3));
    refused(
        "global batch=10 > samples=9, take a smaller batch or fewer ranks",
        () -> windows(9, 2).batch(5).build());
    refused(
        "global batch=20971520, allowed: at most 16777216",
        () -> windows(1L << 40, 20).batch(1 << 20).build());
    refused("rank=2, allowed: 0–1 (world size=2)", () -> plan.indices(0, 2));
    refused("rank=-1, allowed: 0–1 (world size=2)", () -> plan.batches(-1));
    refused("step=5, allowed: 0–4", () -> plan.indices(5, 0));
    refused("step=6, allowed: 0–5", () -> plan.state(6));
    refused("index=-1, allowed: 0–99", () -> plan.isLocal(-1, 0));
    EpochPlan over = windows(100, 2).batch(10).resume(plan.state(5)).build();
    refused("step=0, but the epoch has no steps left", () -> over.indices(0, 0));
  }

  @Test
  void optionsThatDoNotFit() {
    OwnershipSnapshot lastOnly =
        OwnershipSnapshot.of(
            1, IntStream.range(0, 32).mapToObj(p -> List.of(p < 31 ? "h0" : "h1")).toList());
    refused("give batch or global batch", () -> windows(9, 1).build());
    refused(
        "batch=1 and global batch=2 are both given, give one",
        () -> windows(9, 1).batch(1).globalBatch(2).build());
    refused("give tail: drop, pad or uneven", () -> EpochPlan.builder(9, 1, 1).batch(1).build());
    refused(
        "strategy=exact needs an ownership snapshot, pass one or take strategy=plain",
        () -> EpochPlan.builder(9, 1, 1).batch(1).tail(Tail.PAD).build());
    refused(
        "strategy=slice needs an ownership snapshot, pass one or take strategy=plain",
        () -> EpochPlan.builder(9, 1, 1).tail(Tail.PAD).strategy(Strategy.SLICE).batch(1).build());
    refused(
        "rank hosts: 1 given, world size=2",
        () -> EpochPlan.builder(9, 1, 2).ownership(snapshot, List.of("h0")));
    refused(
        "strategy=slice takes a batch per rank, not global batch=4",
        () -> slices(100).globalBatch(4).build());
    refused(
        "strategy=slice: host 'h1' holds no samples of this data set, use strategy=exact",
        () ->
            EpochPlan.builder(4, 1, 2)
                .ownership(lastOnly, List.of("h0", "h1"))
                .strategy(Strategy.SLICE)
                .tail(Tail.DROP)
                .batch(1)
                .build());
    refused(
        "order=torch is computed in Python alone, use order=keyed",
        () -> windows(9, 1).order(Order.TORCH));
    assertThatThrownBy(() -> windows(9, 1).batch(3).batch(4))
        .isInstanceOf(IllegalStateException.class)
        .hasMessage("batch is set twice: 3 and 4");
  }

  @Test
  void statesOfSomethingElse() {
    PlanState state = plan.state(2);
    refused(
        "state of samples=100, but the data set has 101",
        () -> windows(101, 2).batch(10).resume(state));
    refused("state of seed=1, but seed=2 is set", () -> EpochPlan.builder(100, 2, 2).resume(state));
    refused(
        "state of order=keyed, but order=sequence is set",
        () -> windows(100, 2).order(Order.SEQUENCE).batch(10).resume(state).build());
    refused(
        "state of epoch=0, but epoch=3 is set",
        () -> windows(100, 2).epoch(3).batch(10).resume(state).build());
    PlanState named = windows(100, 2).dataset("a").batch(10).build().state(1);
    refused(
        "state of another data set than 'b'",
        () -> windows(100, 2).dataset("b").batch(10).resume(named).build());
    refused(
        "state of strategy=exact cannot go on with strategy=slice within an epoch",
        () -> slices(100).batch(10).resume(state).build());
    PlanState sliced = slices(100).batch(10).build().state(1);
    refused(
        "state of strategy=slice cannot go on with strategy=plain within an epoch",
        () -> windows(100, 2).batch(10).resume(sliced).build());
    refused(
        "state of strategy=slice: hosts or ownership have changed since, slices go on within an"
            + " epoch only where they have not; use strategy=exact",
        () ->
            EpochPlan.builder(100, 1, 1)
                .ownership(snapshot, List.of("h0"))
                .strategy(Strategy.SLICE)
                .tail(Tail.DROP)
                .batch(10)
                .resume(sliced)
                .build());
    byte[] bytes = state.toBytes();
    bytes[32] ^= 1;
    refused("state is damaged: it does not match its check word", () -> PlanState.parse(bytes));
    refused("state is damaged: 3 bytes, a state has 64", () -> PlanState.parse(new byte[3]));
  }

  @Test
  void snapshotsThatAreNone() {
    byte[] bytes = snapshot.toBytes();
    for (int length = 0; length < bytes.length; length++) {
      byte[] part = Arrays.copyOf(bytes, length);
      assertThatThrownBy(() -> OwnershipSnapshot.parse(part))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageStartingWith("snapshot is malformed: ");
    }
    byte[] longer = Arrays.copyOf(bytes, bytes.length + 1);
    refused("snapshot is malformed: 1 bytes follow its end", () -> OwnershipSnapshot.parse(longer));
    refused(
        "snapshot is malformed: partitions=3, allowed: a power of two from 32 to 32768",
        () -> OwnershipSnapshot.of(1, List.of(List.of("a"), List.of("a"), List.of("a"))));
  }

  private static EpochPlan.Builder windows(long samples, int world) {
    return EpochPlan.builder(samples, 1, world).tail(Tail.DROP).strategy(Strategy.PLAIN);
  }

  private EpochPlan.Builder slices(long samples) {
    return EpochPlan.builder(samples, 1, 2)
        .ownership(snapshot, List.of("h0", "h1"))
        .strategy(Strategy.SLICE)
        .tail(Tail.DROP);
  }

  private static void refused(String message, ThrowingCallable what) {
    assertThatThrownBy(what).isInstanceOf(IllegalArgumentException.class).hasMessage(message);
  }
}
