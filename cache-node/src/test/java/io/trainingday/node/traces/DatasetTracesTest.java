package io.trainingday.node.traces;

import static org.assertj.core.api.Assertions.assertThat;

import io.trainingday.grid.BoundedLoadAffinity;
import io.trainingday.grid.SampleKey;
import io.trainingday.node.traces.Traces.Loss;
import java.util.BitSet;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What is lost and what is noted take effect in their order, whenever it is looked through. */
class DatasetTracesTest {
  private static final int PARTITIONS = 64;

  /** Of all partitions, so many are ever lost. */
  private static final int LOST = 4;

  private static final int STEPS = 4_000;
  private static final int LARGE = 100_000;

  /** Most in partitions that are lost some time. */
  private static final long[] INDICES =
      LongStream.range(0, LARGE)
          .filter(index -> partition(index) < LOST || index % 100 == 0)
          .limit(40)
          .toArray();

  private final DatasetTraces traces = new DatasetTraces();
  private final Map<SampleKey, Fate> expected = new HashMap<>();

  /** The pipeline is also the number of backups. */
  private static SampleKey key(int backups, long index) {
    return new SampleKey(1, 1, backups, 1, 0, index);
  }

  private static Loss loss(int backups, int... partitions) {
    BitSet lost = new BitSet();
    for (int partition : partitions) {
      lost.set(partition);
    }
    return new Loss(backups, PARTITIONS, lost);
  }

  private static int partition(long index) {
    return BoundedLoadAffinity.partition(index, PARTITIONS);
  }

  private void keep(SampleKey key) {
    traces.note(key, Fate.KEPT, (int) key.pipeline());
    expected.put(key, Fate.KEPT);
  }

  private void lose(int backups, int partition) {
    traces.lose(List.of(loss(backups, partition)));
    expected.replaceAll(
        (key, fate) ->
            fate == Fate.KEPT && key.pipeline() == backups && partition(key.index()) == partition
                ? Fate.LOST
                : fate);
  }

  private void check() {
    expected.forEach((key, fate) -> assertThat(traces.fate(key)).as("%s", key).isEqualTo(fate));
  }

  @Test
  void record_lostKeptAgainAndLost_beforeAnyIsLookedThrough() {
    SampleKey again = key(0, 7);
    SampleKey gone = key(0, indexBeside(7));
    keep(again);
    keep(gone);
    lose(0, partition(7));
    assertThat(traces.reason(again)).isEqualTo(Reason.OWNER_LOST);
    assertThat(traces.lost(1, 7)).containsExactly(again);
    keep(again);
    check();
    traces.settle();
    check();

    lose(0, partition(7));
    keep(again);
    lose(0, partition(7) ^ 1);
    traces.settle();
    check();
    assertThat(traces.fate(again)).isEqualTo(Fate.KEPT);
    assertThat(traces.fate(gone)).isEqualTo(Fate.LOST);
  }

  /** Another index of the same partition. */
  private static long indexBeside(long index) {
    long other = index + 1;
    while (partition(other) != partition(index)) {
      other++;
    }
    return other;
  }

  @ParameterizedTest
  @ValueSource(longs = {1, 2, 3, 4})
  void anyOrder_lookedThroughAtAnyTime_isAsIfAtOnce(long seed) {
    Random random = new Random(seed);
    for (int step = 0; step < STEPS; step++) {
      takeStep(random);
      if (random.nextInt(8) == 0) {
        traces.settle();
      }
      if (random.nextInt(16) == 0) {
        check();
      }
    }
    traces.settle();
    check();
  }

  private void takeStep(Random random) {
    SampleKey key = key(random.nextInt(2), INDICES[random.nextInt(INDICES.length)]);
    switch (random.nextInt(6)) {
      case 0 -> lose(random.nextInt(2), random.nextInt(LOST));
      case 1 -> {
        traces.note(key, Fate.EVICTED, DatasetTraces.ANY_BACKUPS);
        expected.put(key, Fate.EVICTED);
      }
      default -> keep(key);
    }
  }

  /** The thread that looks is in the middle of it all the time. */
  @Test
  @Timeout(120)
  void changes_whileAThreadLooksThrough_keepTheirOrder() throws InterruptedException {
    LongStream.range(0, LARGE)
        .filter(index -> partition(index) >= LOST)
        .forEach(index -> traces.note(key(0, index), Fate.KEPT, 0));
    AtomicBoolean over = new AtomicBoolean();
    Thread looks =
        new Thread(
            () -> {
              while (!over.get()) {
                traces.settle();
              }
            });
    looks.start();
    try {
      Random random = new Random(6);
      for (int step = 0; step < STEPS; step++) {
        takeStep(random);
      }
      check();
    } finally {
      over.set(true);
      looks.join();
    }
    traces.settle();
    check();
  }
}
