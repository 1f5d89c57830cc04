package io.trainingday.node.capacity;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.trainingday.config.Portion;
import io.trainingday.config.Settings.Policy;
import io.trainingday.config.Settings.Tier;
import io.trainingday.grid.SampleKey;
import io.trainingday.node.fill.Fills.Submitted;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.LongStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** What goes, and what stays, when a node has no room for all. */
class EvictionTest {
  private static final long ONE = 11;
  private static final long OTHER = 22;
  private static final int RECORD_BYTES = 150_528;

  /** More records than fit into the pages that are kept free ahead of fills. */
  private static final int CUSHION = 8;

  private static final Portion ALL = Portion.ofPercent(100);
  private static final Portion NONE = Portion.ofPercent(0);

  private final TestGrid grid = TestGrid.of(1);
  private final GridNode node = grid.nodes().get(0);

  @AfterEach
  void nothingIsWrong() {
    grid.assertNoTroubles();
    grid.close();
  }

  private static SampleKey key(long dataset, long index) {
    return new SampleKey(dataset, 1, 2, 0, 0, index);
  }

  private void keep(long dataset, Policy policy, Portion quota, Portion guaranteed) {
    node.terms.put(
        dataset,
        new DatasetTerms("t/" + dataset, 1_000, 0, Tier.MEMORY, policy, quota, guaranteed));
    node.capacity.termsChanged(dataset);
  }

  /** How many of them were taken. */
  private int fill(long dataset, long from, long to, int bytes) throws InterruptedException {
    int taken = 0;
    for (long index = from; index < to; index++) {
      taken += node.submit(0, key(dataset, index), bytes) == Submitted.TAKEN ? 1 : 0;
      // One after the other, so that the order is known.
      await()
          .pollInSameThread()
          .pollDelay(Duration.ZERO)
          .pollInterval(Duration.ofNanos(100_000))
          .until(() -> node.fills.stats().inFlightBytes() == 0);
    }
    return taken;
  }

  private List<Long> held(long dataset) {
    return LongStream.range(0, 2_000)
        .filter(index -> node.stores.of(0).contains(key(dataset, index)))
        .boxed()
        .toList();
  }

  private void read(long dataset, LongStream indices) {
    node.capacity
        .reads()
        .read(dataset, indices.mapToObj(index -> key(dataset, index)).toArray(SampleKey[]::new));
  }

  private Capacity.Share share(long dataset) {
    return node.capacity.shares().stream()
        .filter(share -> share.dataset() == dataset)
        .findFirst()
        .orElseThrow();
  }

  @Test
  void pin_full_keepsWhatIsThereAndRefusesTheRest() throws Exception {
    int taken = fill(ONE, 0, 500, RECORD_BYTES);

    assertThat(taken).isBetween(300, 450);
    assertThat(held(ONE)).isEqualTo(LongStream.range(0, taken).boxed().toList());
    assertThat(share(ONE).refusals()).containsEntry(Refusal.BUDGET, 500L - taken);
    assertThat(share(ONE).evictions()).isZero();
    assertThat(node.capacity.reads().wants(ONE)).isFalse();

    // Of another one nothing is taken: what was refused tells what could be held of it.
    keep(OTHER, Policy.PIN, ALL, NONE);
    assertThat(share(OTHER).bestHitRate()).isNull();
    assertThat(fill(OTHER, 0, 20, RECORD_BYTES)).isZero();
    assertThat(share(OTHER).records()).isZero();
    assertThat(share(OTHER).meanRecordBytes()).isEqualTo(RECORD_BYTES);
    assertThat(share(OTHER).bestHitRate()).isBetween(0.0, 0.02);
  }

  @Test
  void lru_full_keepsExactlyThoseReadOrFilledLast() throws Exception {
    keep(ONE, Policy.LRU, ALL, NONE);
    assertThat(fill(ONE, 0, 300, RECORD_BYTES)).isEqualTo(300);
    assertThat(node.capacity.reads().wants(ONE)).isTrue();
    read(ONE, LongStream.range(100, 150));

    assertThat(fill(ONE, 300, 550, RECORD_BYTES)).isEqualTo(250);

    List<Long> byAge = new ArrayList<>();
    LongStream.range(0, 100).forEach(byAge::add);
    LongStream.range(150, 300).forEach(byAge::add);
    LongStream.range(100, 150).forEach(byAge::add);
    LongStream.range(300, 550).forEach(byAge::add);
    // Some more may be on their way out, ahead of fills that do not come.
    await()
        .untilAsserted(
            () -> {
              List<Long> held = held(ONE);
              assertThat(held).hasSizeBetween(300, 450);
              assertThat(held)
                  .containsExactlyInAnyOrderElementsOf(
                      byAge.subList(byAge.size() - held.size(), byAge.size()));
              assertThat(share(ONE).evictions()).isEqualTo(550 - held.size());
              assertThat(share(ONE).records()).isEqualTo(held.size());
              assertThat(share(ONE).bytes()).isEqualTo((long) held.size() * RECORD_BYTES);
            });
    assertThat(share(ONE).refusals().values()).containsOnly(0L);
  }

  @Test
  void lfu_full_keepsThoseReadOften() throws Exception {
    keep(ONE, Policy.LFU, ALL, NONE);
    fill(ONE, 0, 300, RECORD_BYTES);
    read(ONE, LongStream.range(0, 200));

    assertThat(fill(ONE, 300, 700, RECORD_BYTES)).isEqualTo(400);

    assertThat(held(ONE)).containsAll(LongStream.range(0, 200).boxed().toList());
  }

  @Test
  void random_full_keepsSomeOfAll() throws Exception {
    keep(ONE, Policy.RANDOM, ALL, NONE);

    assertThat(fill(ONE, 0, 900, RECORD_BYTES)).isEqualTo(900);

    assertThat(node.capacity.reads().wants(ONE)).isFalse();
    assertThat(held(ONE)).anyMatch(index -> index < 400).anyMatch(index -> index > 800);
  }

  @Test
  void lru_besideAPinnedOne_neverTakesFromIt() throws Exception {
    keep(ONE, Policy.PIN, ALL, NONE);
    keep(OTHER, Policy.LRU, ALL, NONE);
    fill(ONE, 0, 200, RECORD_BYTES);

    assertThat(fill(OTHER, 0, 400, RECORD_BYTES)).isEqualTo(400);
    int more = fill(ONE, 200, 400, RECORD_BYTES);

    assertThat(held(ONE)).containsAll(LongStream.range(0, 200).boxed().toList());
    // The few pages free ahead of the other one's fills are nobody's when it is not filled for
    // long.
    assertThat(more).as("a pinned one takes nothing from another").isLessThanOrEqualTo(CUSHION);
    assertThat(held(OTHER)).hasSizeGreaterThan(100).contains(399L);
  }

  @Test
  void quota_ofAPinnedAndOfAnEvictingOne_isNeverPassed() throws Exception {
    keep(ONE, Policy.PIN, Portion.ofPercent(25), NONE);
    keep(OTHER, Policy.LRU, Portion.ofPercent(25), NONE);
    long quota = GridNode.BUDGET_BYTES / 4;

    int taken = fill(ONE, 0, 200, RECORD_BYTES);
    assertThat(fill(OTHER, 0, 200, RECORD_BYTES)).isEqualTo(200);

    assertThat(taken).isEqualTo((int) (quota / RECORD_BYTES));
    assertThat(share(ONE).refusals()).containsEntry(Refusal.QUOTA, 200L - taken);
    assertThat(share(OTHER).bytes()).isBetween(quota * 9 / 10, quota);
    assertThat(held(OTHER)).contains(199L).doesNotContain(0L);
  }

  @Test
  void guaranteed_isLeftFreeByOthersAndKeptFromThem() throws Exception {
    keep(ONE, Policy.LRU, ALL, Portion.ofPercent(40));
    keep(OTHER, Policy.PIN, ALL, NONE);
    long guaranteed = GridNode.BUDGET_BYTES * 4 / 10;

    int taken = fill(OTHER, 0, 500, RECORD_BYTES);
    assertThat((long) taken * RECORD_BYTES).isLessThan(GridNode.BUDGET_BYTES - guaranteed);

    assertThat(fill(ONE, 0, 300, RECORD_BYTES)).isEqualTo(300);
    assertThat(share(ONE).bytes()).isGreaterThan(guaranteed - 4 * RECORD_BYTES);
    assertThat(held(OTHER)).hasSize(taken);

    // Another one that evicts takes nothing of it.
    keep(OTHER, Policy.LRU, ALL, NONE);
    assertThat(fill(OTHER, 500, 800, RECORD_BYTES)).isEqualTo(300);
    assertThat(share(ONE).bytes()).isGreaterThan(guaranteed - 40 * RECORD_BYTES);
  }

  @Test
  void twoThatEvict_comeToEqualShares() throws Exception {
    keep(ONE, Policy.LRU, ALL, NONE);
    keep(OTHER, Policy.RANDOM, ALL, NONE);
    fill(ONE, 0, 450, RECORD_BYTES);

    fill(OTHER, 0, 450, RECORD_BYTES);

    assertThat((double) share(ONE).records()).isBetween(120.0, 240.0);
    assertThat((double) share(OTHER).records()).isBetween(120.0, 240.0);
  }

  @Test
  void policyChangedWhileFull_holdsAtOnce() throws Exception {
    int taken = fill(ONE, 0, 500, RECORD_BYTES);
    keep(ONE, Policy.LRU, ALL, NONE);

    await()
        .untilAsserted(
            () -> assertThat(node.submit(0, key(ONE, 900), 1)).isEqualTo(Submitted.TAKEN));
    assertThat(fill(ONE, 1_000, 1_050, RECORD_BYTES)).isEqualTo(50);
    assertThat(held(ONE)).contains(1_049L).hasSizeLessThanOrEqualTo(taken + 1);

    keep(ONE, Policy.PIN, ALL, NONE);
    // What was on its way out then has gone.
    await().untilAsserted(() -> assertThat(held(ONE)).hasSize((int) share(ONE).records()));
    List<Long> before = held(ONE);
    fill(ONE, 1_100, 1_150, RECORD_BYTES);
    assertThat(held(ONE)).containsAll(before);
  }

  /** Small records leave holes: only used pages tell whether there is room for a large one. */
  @Test
  void lru_manySmallRecordsThenLargeOnes_roomIsMadeInPages() throws Exception {
    keep(ONE, Policy.LRU, ALL, NONE);
    keep(OTHER, Policy.LRU, ALL, NONE);
    for (long index = 0; index < 40_000; index++) {
      assertThat(node.submit(0, key(ONE, index), 1_500)).isEqualTo(Submitted.TAKEN);
    }
    await().until(() -> node.fills.stats().inFlightBytes() == 0);

    int taken = fill(OTHER, 0, 60, 1 << 20);

    assertThat(taken).isGreaterThan(50);
    assertThat(held(OTHER)).contains(59L).hasSizeGreaterThan(15);
  }
}
