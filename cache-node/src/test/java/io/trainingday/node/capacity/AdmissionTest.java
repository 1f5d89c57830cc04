package io.trainingday.node.capacity;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.UUID;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.LongAccumulator;
import org.junit.jupiter.api.Test;

class AdmissionTest {
  private static final UUID HERE = new UUID(0, 1);
  private static final List<UUID> ALONE = List.of(HERE);
  private static final int PAGE_BYTES = 16 << 10;
  private static final long BUDGET_BYTES = 64 << 20;
  private static final int MAX_RECORD_BYTES = 1 << 20;

  private final AtomicLong usedPages = new AtomicLong();
  private final Admission admission =
      new Admission(HERE, BUDGET_BYTES, 0, MAX_RECORD_BYTES, PAGE_BYTES, usedPages::get);

  @Test
  void tryAdmit_withinBudget_reservesWholePages() {
    assertThat(admission.tryAdmit(1, ALONE)).isNull();
    assertThat(admission.bytesInFlight()).isEqualTo(2L * PAGE_BYTES);

    admission.release(1, ALONE);
    assertThat(admission.bytesInFlight()).isZero();
  }

  @Test
  void tryAdmit_usedPagesAtTheLimit_refusesAndCounts() {
    usedPages.set(admission.admissibleBytes() / PAGE_BYTES - 1);

    assertThat(admission.tryAdmit(1, ALONE)).isEqualTo(Refusal.BUDGET);
    assertThat(admission.tryAdmit(1, ALONE)).isEqualTo(Refusal.BUDGET);
    assertThat(admission.refused(Refusal.BUDGET)).isEqualTo(2);
    assertThat(admission.bytesInFlight()).isZero();

    usedPages.decrementAndGet();
    assertThat(admission.tryAdmit(1, ALONE)).isNull();
  }

  @Test
  void tryAdmit_recordsInFlight_countAsUsed() {
    int admitted = 0;
    while (admission.tryAdmit(MAX_RECORD_BYTES, ALONE) == null) {
      admitted++;
    }
    assertThat(admitted).isBetween(40, 60);
    assertThat(admission.bytesInFlight()).isLessThanOrEqualTo(admission.admissibleBytes());
    admission.release(MAX_RECORD_BYTES, ALONE);
    assertThat(admission.tryAdmit(MAX_RECORD_BYTES, ALONE)).isNull();
  }

  @Test
  void tryAdmit_recordOverTheLargest_refusesAndCounts() {
    assertThat(admission.tryAdmit(MAX_RECORD_BYTES, ALONE)).isNull();
    assertThat(admission.tryAdmit(MAX_RECORD_BYTES + 1, ALONE)).isEqualTo(Refusal.RECORD_TOO_LARGE);
    assertThat(admission.refused(Refusal.RECORD_TOO_LARGE)).isEqualTo(1);
    assertThat(admission.refused(Refusal.BUDGET)).isZero();
  }

  @Test
  void close_refusesEverythingAndKeepsTheFirstReason() {
    assertThat(admission.tryAdmit(10, ALONE)).isNull();
    assertThat(admission.closedReason()).isNull();
    admission.close("Ignite ran out of memory");
    admission.close("later");

    assertThat(admission.tryAdmit(10, ALONE)).isEqualTo(Refusal.CLOSED);
    assertThat(admission.refused(Refusal.CLOSED)).isEqualTo(1);
    assertThat(admission.closedReason()).isEqualTo("Ignite ran out of memory");
    admission.release(10, ALONE);
    assertThat(admission.bytesInFlight()).isZero();
  }

  @Test
  void create_headroomOfNothing_leavesFreeWhatIgniteNeeds() {
    assertThat(admission.admissibleBytes()).isEqualTo((4090 - 335) * (long) PAGE_BYTES);
  }

  @Test
  void create_headroomOverIgnitesNeed_leavesThatFree() {
    Admission half =
        new Admission(HERE, BUDGET_BYTES, BUDGET_BYTES / 2, 1, PAGE_BYTES, usedPages::get);

    assertThat(half.admissibleBytes()).isBetween(BUDGET_BYTES * 49 / 100, BUDGET_BYTES / 2);
  }

  @Test
  void create_budgetOfNoMoreThanTheHeadroom_saysBoth() {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> new Admission(HERE, 4 << 20, 0, 1, PAGE_BYTES, () -> 0))
        .withMessage(
            "a memory budget of 4194304 bytes less a headroom of 5250560 bytes leaves no room for"
                + " records: raise the budget");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> new Admission(HERE, 8 << 20, 8 << 20, 1, PAGE_BYTES, () -> 0))
        .withMessageEndingWith("raise the budget or lower the headroom");
  }

  /** Writers whose pages become used between admission and release, as Ignite's do. */
  @Test
  void tryAdmit_concurrently_usedAndReservedNeverPassTheLimit() throws Exception {
    long limitPages = admission.admissibleBytes() / PAGE_BYTES;
    LongAccumulator most = new LongAccumulator(Math::max, 0);
    ExecutorService threads = Executors.newFixedThreadPool(4);
    try {
      List<Future<Integer>> writers = new ArrayList<>();
      for (int writer = 0; writer < 4; writer++) {
        Random random = new Random(writer);
        writers.add(threads.submit(() -> writeAndForget(random, most)));
      }
      int admitted = 0;
      for (Future<Integer> writer : writers) {
        admitted += writer.get();
      }
      assertThat(admitted).isPositive();
    } finally {
      threads.shutdownNow();
    }
    assertThat(most.get()).isBetween(limitPages * 9 / 10, limitPages);
    assertThat(admission.refused(Refusal.BUDGET)).isPositive();
    assertThat(admission.bytesInFlight()).isZero();
  }

  private int writeAndForget(Random random, LongAccumulator most) {
    int admitted = 0;
    List<Integer> kept = new ArrayList<>();
    for (int i = 0; i < 50_000; i++) {
      int recordBytes = random.nextInt(MAX_RECORD_BYTES);
      if (admission.tryAdmit(recordBytes, ALONE) == null) {
        admitted++;
        int pages = recordBytes / PAGE_BYTES + 1;
        most.accumulate(usedPages.addAndGet(pages));
        kept.add(pages);
        admission.release(recordBytes, ALONE);
      } else if (!kept.isEmpty()) {
        usedPages.addAndGet(-kept.remove(kept.size() - 1));
      }
    }
    return admitted;
  }
}
