package io.trainingday.node.fill;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import io.trainingday.grid.SampleKey;
import io.trainingday.node.capacity.Admission;
import io.trainingday.node.capacity.Refusal;
import io.trainingday.node.fill.Fills.Submitted;
import io.trainingday.node.fill.MissAnswer.Kind;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class FillsTest {
  private static final long TIMEOUT = 10_000;
  private static final UUID HERE = new UUID(0, 1);
  private static final UUID ELSEWHERE = new UUID(0, 2);
  private static final SampleKey KEY = key(1);
  private static final byte[] RECORD = {1, 2, 3};

  private final AtomicLong clock = new AtomicLong(Long.MAX_VALUE - 5); // wraps, as nanoTime may
  private final AtomicLong usedPages = new AtomicLong();
  private final FakeStore store = new FakeStore();
  private final Admission admission =
      new Admission(HERE, 64 << 20, 0, 4_096, 4_096, usedPages::get);
  private final Fills fills = newFills(1 << 16);
  private final long alice = fills.openHolder();
  private final long bob = fills.openHolder();
  private final long carol = fills.openHolder();

  private Fills newFills(long maxInFlightBytes) {
    Fills created =
        new Fills(new FillLimits(TIMEOUT, 4, 6, maxInFlightBytes, 1), admission, clock::get, false);
    created.startWriters();
    return created;
  }

  private Fills newFillsWithoutWriters() {
    return new Fills(new FillLimits(TIMEOUT, 4, 6, 1 << 16, 1), admission, clock::get, false);
  }

  @AfterEach
  void close() {
    store.letWrites(1_000);
    fills.close();
  }

  /** Remembers its answers. */
  private static final class Answers implements Waiter {
    final List<MissAnswer> answers = new ArrayList<>();

    @Override
    public void answered(MissAnswer answer) {
      answers.add(answer);
    }

    List<Kind> kinds() {
      return answers.stream().map(MissAnswer::kind).toList();
    }
  }

  @Test
  void missing_firstAsker_getsTheLeaseAndOthersWait() {
    MissAnswer granted = fills.missing(store, KEY, alice);

    assertThat(granted.kind()).isEqualTo(Kind.GRANTED);
    assertThat(granted.lease()).isPositive();
    assertThat(fills.missing(store, KEY, bob).kind()).isEqualTo(Kind.LEASED_TO_OTHER);
    MissAnswer again = fills.missing(store, KEY, alice);
    assertThat(again.kind()).isEqualTo(Kind.HELD_BY_YOU);
    assertThat(again.lease()).isEqualTo(granted.lease());
    assertThat(fills.stats().liveLeases()).isEqualTo(1);
  }

  @Test
  void submit_ofALeasedKey_servesTheWaitersAndIsReadableUntilStored() {
    store.holdWrites();
    fills.missing(store, KEY, alice);
    Answers waiting = new Answers();
    assertThat(fills.await(store, KEY, bob, waiting).kind()).isEqualTo(Kind.LEASED_TO_OTHER);

    assertThat(fills.submit(store, KEY, RECORD)).isEqualTo(Submitted.TAKEN);

    assertThat(waiting.answers).singleElement().extracting(MissAnswer::record).isSameAs(RECORD);
    assertThat(fills.pending(KEY)).isSameAs(RECORD);
    assertThat(fills.missing(store, KEY, carol).record()).isSameAs(RECORD);
    assertThat(fills.stats().liveLeases()).isZero();
    assertThat(fills.submit(store, KEY, new byte[] {9})).isEqualTo(Submitted.REPEATED);

    store.letWrites(1);
    await().until(() -> fills.pending(KEY) == null);
    assertThat(store.records.get(KEY)).isSameAs(RECORD);
    assertThat(fills.missing(store, KEY, carol).kind()).isEqualTo(Kind.IN_STORE);
    await().until(() -> fills.stats().inFlightBytes() == 0);
    assertThat(fills.stats().recordsWritten()).isEqualTo(1);
    assertThat(fills.stats().bytesWritten()).isEqualTo(3);
    assertThat(admission.bytesInFlight()).isZero();
  }

  @Test
  void find_followsARecordFromItsTakingToTheStore() {
    Fills held = newFillsWithoutWriters();
    assertThat(held.find(store, KEY).kind()).isEqualTo(Kind.REFUSED);

    assertThat(held.submit(store, KEY, RECORD)).isEqualTo(Submitted.TAKEN);
    assertThat(held.find(store, KEY).record()).isSameAs(RECORD);

    assertThat(held.writeNext()).isTrue();
    assertThat(held.find(store, KEY).kind()).isEqualTo(Kind.IN_STORE);
    assertThat(held.stats().leasesGranted()).isZero();
    held.close();
  }

  @Test
  void missing_recordLandsBetweenTheReadersLookAndItsQuestion_isInStore() {
    // The reader has looked and missed; now the whole fill goes through.
    fills.missing(store, KEY, alice);
    fills.submit(store, KEY, RECORD);
    await().until(() -> fills.pending(KEY) == null);

    assertThat(fills.missing(store, KEY, bob).kind()).isEqualTo(Kind.IN_STORE);
    assertThat(fills.stats().leasesGranted()).isEqualTo(1);
  }

  @Test
  void submit_whileTheStoreIsAskedForTheSameKey_waitsForTheAnswer() throws Exception {
    CountDownLatch asked = new CountDownLatch(1);
    CountDownLatch goOn = new CountDownLatch(1);
    store.onContains =
        () -> {
          store.onContains = () -> {};
          asked.countDown();
          awaitUninterruptibly(goOn);
        };
    Thread asker =
        new Thread(() -> assertThat(fills.missing(store, KEY, alice).lease()).isPositive());
    asker.start();
    asked.await();
    Thread submitter = new Thread(() -> fills.submit(store, KEY, RECORD));
    submitter.start();
    await().until(() -> submitter.getState() == Thread.State.BLOCKED);
    assertThat(store.records).isEmpty();
    goOn.countDown();
    asker.join();
    submitter.join();

    // The record ended the lease that was just given; nobody is left holding one.
    assertThat(fills.stats().leasesGranted()).isEqualTo(1);
    assertThat(fills.stats().liveLeases()).isZero();
  }

  private static void awaitUninterruptibly(CountDownLatch latch) {
    try {
      latch.await();
    } catch (InterruptedException e) {
      throw new IllegalStateException(e);
    }
  }

  @Test
  void release_byTheHolder_givesTheLeaseToTheFirstWaiterOnly() {
    long lease = fills.missing(store, KEY, alice).lease();
    Answers first = new Answers();
    Answers second = new Answers();
    fills.await(store, KEY, bob, first);
    fills.await(store, KEY, carol, second);

    assertThat(fills.release(KEY, bob, lease)).isFalse();
    assertThat(fills.release(KEY, alice, lease + 1)).isFalse();
    assertThat(fills.release(KEY, alice, lease)).isTrue();
    assertThat(fills.release(KEY, alice, lease)).isFalse();

    assertThat(first.kinds()).containsExactly(Kind.GRANTED);
    assertThat(second.answers).isEmpty();
    assertThat(fills.renew(KEY, bob, first.answers.get(0).lease())).isTrue();
    fills.submit(store, KEY, RECORD);
    assertThat(second.kinds()).containsExactly(Kind.RECORD);
    assertThat(first.answers).hasSize(1);
  }

  @Test
  void expire_silentHolder_givesTheLeaseToTheFirstWaiter() {
    long lease = fills.missing(store, KEY, alice).lease();
    Answers waiting = new Answers();
    fills.await(store, KEY, bob, waiting);

    clock.addAndGet(TIMEOUT - 1);
    fills.expire();
    assertThat(waiting.answers).isEmpty();
    clock.addAndGet(1);
    fills.expire();

    assertThat(waiting.kinds()).containsExactly(Kind.GRANTED);
    assertThat(fills.renew(KEY, alice, lease)).isFalse();
    assertThat(fills.release(KEY, alice, lease)).isFalse();
    assertThat(fills.stats().leasesExpired()).isEqualTo(1);
    assertThat(fills.stats().liveLeases()).isEqualTo(1);
  }

  @Test
  void missing_afterTheDeadline_takesTheLeaseOverWithoutATimer() {
    fills.missing(store, KEY, alice);
    clock.addAndGet(TIMEOUT);

    assertThat(fills.missing(store, KEY, bob).kind()).isEqualTo(Kind.GRANTED);
    assertThat(fills.stats().liveLeases()).isEqualTo(1);
  }

  @Test
  void missing_afterTheDeadlineWithAWaiter_leavesTheLeaseToTheWaiter() {
    fills.missing(store, KEY, alice);
    Answers waiting = new Answers();
    fills.await(store, KEY, bob, waiting);
    clock.addAndGet(TIMEOUT);

    assertThat(fills.missing(store, KEY, carol).kind()).isEqualTo(Kind.LEASED_TO_OTHER);
    assertThat(waiting.kinds()).containsExactly(Kind.GRANTED);
  }

  @Test
  void renew_byTheHolder_putsTheDeadlineOff() {
    long lease = fills.missing(store, KEY, alice).lease();
    for (int i = 0; i < 5; i++) {
      clock.addAndGet(TIMEOUT - 1);
      assertThat(fills.renew(KEY, alice, lease)).isTrue();
      assertThat(fills.renew(KEY, bob, lease)).isFalse();
    }
    fills.expire();
    assertThat(fills.missing(store, KEY, bob).kind()).isEqualTo(Kind.LEASED_TO_OTHER);
  }

  @Test
  void expire_renewedLeases_endInTheOrderOfTheirDeadlines() {
    long renewed = fills.missing(store, key(1), alice).lease();
    fills.missing(store, key(2), alice);
    clock.addAndGet(TIMEOUT / 2);
    fills.renew(key(1), alice, renewed);
    clock.addAndGet(TIMEOUT / 2);
    fills.expire();

    assertThat(fills.stats().leasesExpired()).isEqualTo(1);
    assertThat(fills.missing(store, key(1), bob).kind()).isEqualTo(Kind.LEASED_TO_OTHER);
    assertThat(fills.missing(store, key(2), bob).kind()).isEqualTo(Kind.GRANTED);
  }

  @Test
  void closeHolder_ofAKilledTrainer_freesItsLeasesAndWaits() {
    fills.missing(store, key(1), alice);
    fills.missing(store, key(2), alice);
    fills.missing(store, key(3), bob);
    Answers aliceWaits = new Answers();
    Answers bobWaits = new Answers();
    fills.await(store, key(3), alice, aliceWaits);
    fills.await(store, key(1), bob, bobWaits);

    fills.closeHolder(alice);
    fills.closeHolder(alice);

    assertThat(bobWaits.kinds()).containsExactly(Kind.GRANTED);
    assertThat(fills.missing(store, key(2), carol).kind()).isEqualTo(Kind.GRANTED);
    fills.closeHolder(bob);
    assertThat(aliceWaits.answers).isEmpty();
    assertThat(fills.missing(store, key(4), alice).kind()).isEqualTo(Kind.REFUSED);
    assertThat(fills.stats().liveLeases()).isEqualTo(1);
  }

  @Test
  void cancel_aWait_isNeverCalled() {
    long lease = fills.missing(store, KEY, alice).lease();
    Answers cancelled = new Answers();
    Answers waiting = new Answers();
    fills.await(store, KEY, bob, cancelled);
    fills.await(store, KEY, carol, waiting);

    assertThat(fills.cancel(KEY, cancelled)).isTrue();
    assertThat(fills.cancel(KEY, cancelled)).isFalse();
    fills.release(KEY, alice, lease);

    assertThat(cancelled.answers).isEmpty();
    assertThat(waiting.kinds()).containsExactly(Kind.GRANTED);
    assertThat(fills.cancel(KEY, waiting)).isFalse();
  }

  @Test
  void await_onOnesOwnLease_isServed() {
    fills.missing(store, KEY, alice);
    Answers otherThread = new Answers();
    assertThat(fills.await(store, KEY, alice, otherThread).kind()).isEqualTo(Kind.LEASED_TO_OTHER);

    fills.submit(store, KEY, RECORD);

    assertThat(otherThread.kinds()).containsExactly(Kind.RECORD);
  }

  @Test
  void missing_overTheLimits_isRefusedAndCounted() {
    for (int i = 0; i < 4; i++) {
      assertThat(fills.missing(store, key(i), alice).kind()).isEqualTo(Kind.GRANTED);
    }
    assertThat(fills.missing(store, key(4), alice).kind()).isEqualTo(Kind.REFUSED);
    assertThat(fills.missing(store, key(4), bob).kind()).isEqualTo(Kind.GRANTED);
    assertThat(fills.missing(store, key(5), bob).kind()).isEqualTo(Kind.GRANTED);
    assertThat(fills.missing(store, key(6), bob).kind()).isEqualTo(Kind.REFUSED);
    for (int i = 0; i < 4; i++) {
      assertThat(fills.await(store, key(i), carol, new Answers()).kind())
          .isEqualTo(Kind.LEASED_TO_OTHER);
    }
    assertThat(fills.await(store, key(4), carol, new Answers()).kind()).isEqualTo(Kind.REFUSED);
    assertThat(fills.stats().leasesRefused()).isEqualTo(3);

    fills.submit(store, key(0), RECORD);
    assertThat(fills.missing(store, key(6), bob).kind()).isEqualTo(Kind.GRANTED);
    assertThat(fills.await(store, key(4), carol, new Answers()).kind())
        .isEqualTo(Kind.LEASED_TO_OTHER);
  }

  @Test
  void release_toAWaiterAtItsLimit_goesToTheNext() {
    long lease = fills.missing(store, KEY, alice).lease();
    Answers atItsLimit = new Answers();
    Answers next = new Answers();
    fills.await(store, KEY, bob, atItsLimit);
    fills.await(store, KEY, carol, next);
    for (int i = 10; i < 14; i++) {
      fills.missing(store, key(i), bob);
    }

    fills.release(KEY, alice, lease);

    assertThat(atItsLimit.kinds()).containsExactly(Kind.REFUSED);
    assertThat(next.kinds()).containsExactly(Kind.GRANTED);
  }

  @Test
  void submit_tooManyBytesInFlight_isBusyServesTheWaitersAndKeepsTheLease() {
    try (Fills small = newFills(600)) {
      store.holdWrites();
      long loader = small.openHolder();
      small.submit(store, key(7), RECORD);
      small.submit(store, key(8), RECORD);
      long reserved = admission.bytesInFlight();
      long lease = small.missing(store, KEY, loader).lease();
      Answers waiting = new Answers();
      small.await(store, KEY, loader, waiting);

      assertThat(small.submit(store, KEY, RECORD)).isEqualTo(Submitted.BUSY);

      assertThat(waiting.kinds()).containsExactly(Kind.RECORD);
      assertThat(small.renew(KEY, loader, lease)).isTrue();
      assertThat(admission.bytesInFlight()).isEqualTo(reserved);
      store.letWrites(10);
      await().until(() -> small.submit(store, KEY, RECORD) == Submitted.TAKEN);
      assertThat(small.stats().liveLeases()).isZero();
    }
  }

  @Test
  void submit_nodeOfACopyNotAskedYet_isBusyAndKeepsTheLease() {
    store.targets = List.of(HERE, ELSEWHERE);
    long lease = fills.missing(store, KEY, alice).lease();

    assertThat(fills.submit(store, KEY, RECORD)).isEqualTo(Submitted.BUSY);

    assertThat(fills.renew(KEY, alice, lease)).isTrue();
    assertThat(fills.stats().fillsBusy()).isEqualTo(1);
    assertThat(admission.bytesInFlight()).isZero();
  }

  /** The grid changes between a record's admission and its write. */
  @Test
  void write_newHolderSinceAdmission_isAdmittedAgain() {
    Fills held = newFillsWithoutWriters();
    assertThat(held.submit(store, KEY, RECORD)).isEqualTo(Submitted.TAKEN);
    store.targets = List.of(HERE);
    usedPages.set(1 << 20);

    assertThat(held.writeNext()).isTrue();

    assertThat(store.records).isEmpty();
    assertThat(held.stats().recordsDropped()).isEqualTo(1);
    assertThat(admission.bytesInFlight()).isZero();
    assertThat(held.pending(KEY)).isNull();

    usedPages.set(0);
    store.targets = List.of();
    assertThat(held.submit(store, KEY, RECORD)).isEqualTo(Submitted.TAKEN);
    store.targets = List.of(HERE);
    assertThat(held.writeNext()).isTrue();
    assertThat(store.records).containsKey(KEY);
    assertThat(admission.bytesInFlight()).isZero();
    held.close();
  }

  @Test
  void submit_refusedByAdmission_servesEachReaderOnceAndKeepsNothing() {
    usedPages.set(1 << 20);
    fills.missing(store, KEY, alice);
    Answers waiting = new Answers();
    fills.await(store, KEY, bob, waiting);

    assertThat(fills.submit(store, KEY, RECORD)).isEqualTo(Submitted.NO_ROOM);

    assertThat(waiting.answers).singleElement().extracting(MissAnswer::record).isSameAs(RECORD);
    assertThat(fills.pending(KEY)).isNull();
    // One that comes a moment later gets it, too; one that comes again has to load it.
    assertThat(fills.missing(store, KEY, carol).record()).isSameAs(RECORD);
    assertThat(fills.missing(store, KEY, carol).kind()).isEqualTo(Kind.GRANTED);
    assertThat(fills.submit(store, KEY, new byte[5_000])).isEqualTo(Submitted.TOO_LARGE);
    admission.close("test");
    assertThat(fills.submit(store, KEY, RECORD)).isEqualTo(Submitted.CLOSED);
    assertThat(fills.stats().fillsRefused())
        .containsOnly(
            Map.entry(Refusal.BUDGET, 1L),
            Map.entry(Refusal.QUOTA, 0L),
            Map.entry(Refusal.RECORD_TOO_LARGE, 1L),
            Map.entry(Refusal.CLOSED, 1L),
            Map.entry(Refusal.COPY_BUDGET, 0L),
            Map.entry(Refusal.DISK_BUDGET, 0L),
            Map.entry(Refusal.DISK_FULL, 0L));
    assertThat(fills.stats().inFlightBytes()).isZero();
  }

  @Test
  void submit_largerThanAllThatMayBeInFlight_endsTheLease() {
    try (Fills small = newFills(1_000)) {
      long loader = small.openHolder();
      small.missing(store, KEY, loader);

      assertThat(small.submit(store, KEY, new byte[800])).isEqualTo(Submitted.TOO_LARGE);

      assertThat(small.stats().liveLeases()).isZero();
      assertThat(admission.bytesInFlight()).isZero();
    }
  }

  @Test
  void submit_withoutOrAfterALease_isTakenAndEndsTheNewerLease() {
    fills.missing(store, KEY, alice);
    clock.addAndGet(TIMEOUT);
    fills.missing(store, KEY, bob);
    Answers waiting = new Answers();
    fills.await(store, KEY, carol, waiting);

    assertThat(fills.submit(store, KEY, RECORD)).isEqualTo(Submitted.TAKEN);

    assertThat(waiting.kinds()).containsExactly(Kind.RECORD);
    assertThat(fills.stats().liveLeases()).isZero();
  }

  @Test
  void submit_ofARecordTheStoreHas_isNotWrittenAgain() {
    byte[] stored = {7};
    store.records.put(KEY, stored);

    fills.submit(store, KEY, RECORD);

    await().until(() -> fills.stats().recordsAlreadyStored() == 1);
    await().until(() -> fills.pending(KEY) == null);
    assertThat(store.records.get(KEY)).isSameAs(stored);
    await().until(() -> admission.bytesInFlight() == 0);
  }

  @Test
  void submit_failingStore_isCountedAndTheWriterGoesOn() {
    store.failure = new AssertionError("no");
    fills.submit(store, key(1), RECORD);
    fills.submit(store, key(2), RECORD);
    await().until(() -> fills.stats().inFlightBytes() == 0);
    assertThat(fills.stats().writesFailed()).isEqualTo(2);
    assertThat(fills.missing(store, key(1), alice).kind()).isEqualTo(Kind.GRANTED);
    assertThat(admission.bytesInFlight()).isZero();

    store.failure = null;
    fills.submit(store, key(1), RECORD);
    await().until(() -> store.records.containsKey(key(1)));
  }

  @Test
  void deliver_waiterThatThrows_doesNotHarmOthersAndLosesItsLease() {
    long lease = fills.missing(store, KEY, alice).lease();
    Waiter broken =
        answer -> {
          throw new IllegalStateException("broken");
        };
    Answers next = new Answers();
    fills.await(store, KEY, bob, broken);
    fills.await(store, KEY, carol, next);

    fills.release(KEY, alice, lease);

    assertThat(next.kinds()).containsExactly(Kind.GRANTED);
    assertThat(fills.stats().waiterFailures()).isEqualTo(1);
    assertThat(fills.stats().liveLeases()).isEqualTo(1);
  }

  @Test
  void repair_damagedRecord_isRemovedOnceAndLoadedOnce() {
    store.records.put(KEY, new byte[] {0});

    assertThat(fills.repair(store, KEY, alice).kind()).isEqualTo(Kind.GRANTED);
    assertThat(fills.repair(store, KEY, bob).kind()).isEqualTo(Kind.LEASED_TO_OTHER);
    store.holdWrites();
    fills.submit(store, KEY, RECORD);
    assertThat(fills.repair(store, KEY, bob).record()).isSameAs(RECORD);
    store.letWrites(1);

    await().until(() -> store.records.get(KEY) == RECORD);
    assertThat(fills.stats().repairs()).isEqualTo(1);
  }

  @Test
  void close_withWorkLeft_writesItAndRefusesEverythingElse() {
    store.holdWrites();
    fills.missing(store, key(2), alice);
    Answers waiting = new Answers();
    fills.await(store, key(2), bob, waiting);
    fills.submit(store, key(1), RECORD);
    store.letWrites(10);

    fills.close(Duration.ofSeconds(30));

    assertThat(store.records).containsOnlyKeys(key(1));
    assertThat(waiting.kinds()).containsExactly(Kind.REFUSED);
    assertThat(fills.missing(store, key(3), alice).kind()).isEqualTo(Kind.REFUSED);
    assertThat(fills.submit(store, key(3), RECORD)).isEqualTo(Submitted.CLOSED);
    assertThat(fills.stats().liveLeases()).isZero();
    assertThat(fills.stats().recordsDropped()).isZero();
  }

  @Test
  void close_withAStuckStore_dropsWhatIsLeftAtTheDeadline() {
    store.holdWrites();
    fills.submit(store, key(1), RECORD);
    await().until(() -> fills.stats().inFlightBytes() > 0 && store.hasBlockedWriter());
    fills.submit(store, key(2), RECORD);
    fills.submit(store, key(3), RECORD);

    fills.close(Duration.ofMillis(10));

    assertThat(fills.stats().recordsDropped()).isEqualTo(2);
    assertThat(fills.pending(key(2))).isNull();
    store.letWrites(1);
    await().until(() -> fills.stats().inFlightBytes() == 0);
    assertThat(admission.bytesInFlight()).isZero();
  }

  @Test
  void timer_silentHolder_endsItsLeaseByItself() {
    try (Fills timed = new Fills(FillLimits.of(Duration.ofMillis(20), 1_000, 1), admission)) {
      Answers waiting = new Answers();
      timed.missing(store, KEY, timed.openHolder());
      timed.await(store, KEY, timed.openHolder(), waiting);
      await().until(() -> timed.stats().waitersGranted() == 1);
    }
  }

  @Test
  void limits_belowOne_areRefused() {
    assertThatThrownBy(() -> new FillLimits(1, 1, 1, 0, 1))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage("maxInFlightBytes=0 < 1, give at least 1");
  }

  private static SampleKey key(long index) {
    return new SampleKey(11, 22, 33, 0, 0, index);
  }
}
