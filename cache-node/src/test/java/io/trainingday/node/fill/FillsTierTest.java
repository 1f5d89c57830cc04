package io.trainingday.node.fill;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.trainingday.config.Settings.Tier;
import io.trainingday.grid.SampleKey;
import io.trainingday.node.capacity.Admission;
import io.trainingday.node.capacity.Refusal;
import io.trainingday.node.fill.Fills.Submitted;
import io.trainingday.node.fill.MissAnswer.Kind;
import io.trainingday.node.store.RecordStore;
import io.trainingday.node.store.RecordStore.Kept;
import java.util.ArrayList;
import java.util.List;
import java.util.UUID;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** Fills of data sets on disk: who takes them, and whose disk is looked at before the origin. */
class FillsTierTest {
  private static final UUID HERE = new UUID(0, 1);
  private static final SampleKey KEY = new SampleKey(1, 2, 3, 4, 0, 5);
  private static final byte[] RECORD = {1, 2, 3};

  private final AtomicLong clock = new AtomicLong();
  private final AtomicLong usedPages = new AtomicLong();
  private final FakeStore store = new FakeStore();
  private final Searches elsewhere = new Searches();
  private final Fills fills =
      new Fills(
          new FillLimits(10_000, 4, 6, 1 << 16, 1),
          new Admission(HERE, 64 << 20, 0, 4_096, 4_096, usedPages::get),
          elsewhere,
          clock::get,
          false);
  private final long alice = fills.openHolder();
  private final long bob = fills.openHolder();

  @AfterEach
  void close() {
    fills.close();
  }

  /** Ends when the test says so. */
  private static final class Searches implements Elsewhere {
    final List<Consumer<byte @Nullable []>> under = new ArrayList<>();
    boolean worthIt;

    @Override
    public boolean mayHave(RecordStore of, SampleKey key) {
      return worthIt;
    }

    @Override
    public void find(RecordStore of, SampleKey key, Consumer<byte @Nullable []> whenEnded) {
      under.add(whenEnded);
    }

    @Override
    public void notAgain(SampleKey key) {
      worthIt = false;
    }
  }

  @Test
  void hybrid_withRoomInMemory_goesToBoth() {
    store.tier = Tier.HYBRID;
    assertThat(fills.submit(store, KEY, RECORD)).isEqualTo(Submitted.TAKEN);
    assertThat(fills.writeNext()).isTrue();

    assertThat(store.records).containsKey(KEY);
    assertThat(store.disk).containsKey(KEY);
    assertThat(fills.stats().recordsWritten()).isEqualTo(1);
  }

  @Test
  void hybrid_withoutRoomInMemory_goesToDiskAloneAndIsNoRefusal() {
    store.tier = Tier.HYBRID;
    usedPages.set(1 << 20);
    assertThat(fills.submit(store, KEY, RECORD)).isEqualTo(Submitted.TAKEN);
    assertThat(fills.writeNext()).isTrue();

    assertThat(store.records).isEmpty();
    assertThat(store.disk).containsKey(KEY);
    assertThat(fills.stats().recordsWritten()).isEqualTo(1);
    assertThat(fills.stats().fillsRefused().values()).containsOnly(0L);
    assertThat(fills.missing(store, KEY, alice).kind()).isEqualTo(Kind.IN_STORE);
  }

  @Test
  void hybrid_whoseDiskIsFull_staysInMemory() {
    store.tier = Tier.HYBRID;
    store.kept = Kept.DISK_FULL;
    assertThat(fills.submit(store, KEY, RECORD)).isEqualTo(Submitted.TAKEN);
    assertThat(fills.writeNext()).isTrue();

    assertThat(store.records).containsKey(KEY);
    assertThat(fills.stats().recordsWritten()).isEqualTo(1);
    assertThat(fills.stats().fillsRefused().values()).containsOnly(0L);
  }

  @Test
  void disk_asksForNoRoomInMemory() {
    store.tier = Tier.DISK;
    usedPages.set(1 << 20);
    assertThat(fills.submit(store, KEY, RECORD)).isEqualTo(Submitted.TAKEN);
    assertThat(fills.writeNext()).isTrue();
    assertThat(store.records).isEmpty();
    assertThat(store.disk).containsKey(KEY);
  }

  @Test
  void disk_thatSaidLatelyThatItIsFull_refusesAtOnce_byReason() {
    store.tier = Tier.DISK;
    store.room = Kept.NO_ROOM;
    assertThat(fills.submit(store, KEY, RECORD)).isEqualTo(Submitted.NO_ROOM);
    store.room = Kept.DISK_FULL;
    assertThat(fills.submit(store, KEY, RECORD)).isEqualTo(Submitted.NO_ROOM);

    assertThat(fills.writeNext()).isFalse();
    assertThat(fills.stats().fillsRefused())
        .containsEntry(Refusal.DISK_BUDGET, 1L)
        .containsEntry(Refusal.DISK_FULL, 1L);
  }

  @Test
  void disk_thatFindsItHasNoRoom_isCountedAndTheSampleIsMissingAgain() {
    store.tier = Tier.DISK;
    store.kept = Kept.NO_ROOM;
    assertThat(fills.submit(store, KEY, RECORD)).isEqualTo(Submitted.TAKEN);
    assertThat(fills.missing(store, KEY, alice).kind()).isEqualTo(Kind.RECORD);
    assertThat(fills.writeNext()).isTrue();

    assertThat(fills.stats().fillsRefused()).containsEntry(Refusal.DISK_BUDGET, 1L);
    assertThat(fills.stats().recordsWritten()).isZero();
    assertThat(fills.stats().inFlightBytes()).isZero();
    assertThat(fills.missing(store, KEY, alice).kind()).isEqualTo(Kind.GRANTED);
  }

  @Test
  void copy_isWrittenToDiskAlone_withoutALease() {
    store.tier = Tier.HYBRID;
    assertThat(fills.submitCopy(store, KEY, RECORD)).isEqualTo(Submitted.TAKEN);
    await().until(() -> fills.stats().copiesWritten() == 1);
    assertThat(store.disk).containsKey(KEY);
    assertThat(store.records).isEmpty();

    store.kept = Kept.NO_ROOM;
    assertThat(fills.submitCopy(store, KEY, RECORD)).isEqualTo(Submitted.TAKEN);
    await().until(() -> fills.stats().copiesDropped() == 1);
    store.tier = Tier.MEMORY;
    assertThat(fills.submitCopy(store, KEY, RECORD)).isEqualTo(Submitted.CLOSED);
  }

  @Test
  void record_thatAnotherNodeHas_servesWhoWaitsAndIsStored_andNobodyLoads() {
    store.tier = Tier.DISK;
    elsewhere.worthIt = true;
    List<MissAnswer> answers = new ArrayList<>();
    assertThat(fills.await(store, KEY, alice, answers::add).kind()).isEqualTo(Kind.LEASED_TO_OTHER);
    assertThat(fills.await(store, KEY, bob, answers::add).kind()).isEqualTo(Kind.LEASED_TO_OTHER);
    assertThat(elsewhere.under).hasSize(1);

    elsewhere.under.get(0).accept(RECORD);

    assertThat(answers).extracting(MissAnswer::record).containsExactly(RECORD, RECORD);
    assertThat(fills.writeNext()).isTrue();
    assertThat(store.disk).containsKey(KEY);
    assertThat(fills.stats().liveLeases()).isZero();
  }

  @Test
  void record_thatNobodyHas_isLoadedByTheFirstWhoWaits() {
    store.tier = Tier.DISK;
    elsewhere.worthIt = true;
    List<MissAnswer> answers = new ArrayList<>();
    assertThat(fills.missing(store, KEY, alice).kind()).isEqualTo(Kind.LEASED_TO_OTHER);
    assertThat(fills.await(store, KEY, bob, answers::add).kind()).isEqualTo(Kind.LEASED_TO_OTHER);

    elsewhere.worthIt = false;
    elsewhere.under.get(0).accept(null);

    assertThat(answers).singleElement().extracting(MissAnswer::kind).isEqualTo(Kind.GRANTED);
    assertThat(fills.missing(store, KEY, bob).kind()).isEqualTo(Kind.HELD_BY_YOU);
    assertThat(elsewhere.under).hasSize(1);
  }

  @Test
  void search_thatNeverEnds_isOverWithItsLease() {
    store.tier = Tier.DISK;
    elsewhere.worthIt = true;
    List<MissAnswer> answers = new ArrayList<>();
    assertThat(fills.await(store, KEY, alice, answers::add).kind()).isEqualTo(Kind.LEASED_TO_OTHER);

    clock.set(10_001);
    fills.expire();

    assertThat(answers).singleElement().extracting(MissAnswer::kind).isEqualTo(Kind.GRANTED);
    // What it brings after that is welcome all the same.
    elsewhere.under.get(0).accept(RECORD);
    assertThat(fills.missing(store, KEY, bob).kind()).isEqualTo(Kind.RECORD);
  }
}
