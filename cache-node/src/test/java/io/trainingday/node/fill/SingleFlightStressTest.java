package io.trainingday.node.fill;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.trainingday.grid.SampleKey;
import io.trainingday.node.capacity.Admission;
import io.trainingday.node.fill.Fills.Submitted;
import io.trainingday.node.fill.MissAnswer.Kind;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.Phaser;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicIntegerArray;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.RepeatedTest;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Eight connections read the same cold samples at once, as trainers do. */
class SingleFlightStressTest {
  private static final int THREADS = 8;
  private static final int KEYS = 1_000;
  private static final int BATCH = 50;
  private static final long TIMEOUT = 1_000;

  /** What may go wrong with a load. */
  private enum Trouble {
    /** The loader throws. */
    RELEASE,
    /** The trainer dies and comes back. */
    DISCONNECT,
    /** The trainer is stuck: only the deadline ends its lease. */
    SILENCE
  }

  private final AtomicLong clock = new AtomicLong();
  private final FakeStore store = new FakeStore();
  private final AtomicIntegerArray successes = new AtomicIntegerArray(KEYS);
  private final AtomicIntegerArray loading = new AtomicIntegerArray(KEYS);
  private final AtomicInteger overlaps = new AtomicInteger();
  private final Phaser start = new Phaser(THREADS);

  @RepeatedTest(10)
  void coldSamples_noFailures_areLoadedExactlyOnce() throws Exception {
    try (Fills fills = newFills(1 << 20)) {
      assertThat(readAll(fills, 1, 0, List.of(), 0)).containsOnly(KEYS);

      assertEachLoadedOnce(fills);
      assertThat(fills.stats().leasesGranted()).isEqualTo(KEYS);
      assertThat(fills.stats().leasesReleased()).isZero();
    }
  }

  @ParameterizedTest
  @ValueSource(longs = {1, 2, 3})
  void coldSamples_failuresAndDisconnects_neverHaveTwoLoadersAndSucceedOnce(long seed)
      throws Exception {
    try (Fills fills = newFills(1 << 20)) {
      List<Trouble> troubles = List.of(Trouble.RELEASE, Trouble.DISCONNECT);
      assertThat(readAll(fills, seed, 10, troubles, 0)).containsOnly(KEYS);

      assertEachLoadedOnce(fills);
      assertThat(fills.stats().leasesReleased()).isPositive();
    }
  }

  @ParameterizedTest
  @ValueSource(longs = {1, 2, 3})
  void coldSamples_silenceExpiryAndBackPressure_everyReaderEndsAndNothingIsLeft(long seed)
      throws Exception {
    try (Fills fills = newFills(1_000)) {
      assertThat(readAll(fills, seed, 10, List.of(Trouble.values()), TIMEOUT / 20))
          .containsOnly(KEYS);

      await().until(() -> fills.stats().inFlightBytes() == 0);
      FillStats stats = fills.stats();
      assertThat(stats.liveLeases()).isZero();
      assertThat(stats.waiterFailures()).isZero();
      assertThat(stats.leasesExpired()).isPositive();
      assertThat(stats.fillsTaken())
          .isEqualTo(stats.recordsWritten() + stats.recordsAlreadyStored());
      for (int i = 0; i < KEYS; i++) {
        assertThat(successes.get(i)).as("loads of key %d", i).isPositive();
        assertThat(fills.pending(key(i))).isNull();
        assertThat(store.records.getOrDefault(key(i), recordOf(i))).isEqualTo(recordOf(i));
      }
    }
  }

  private void assertEachLoadedOnce(Fills fills) {
    await().until(() -> fills.stats().inFlightBytes() == 0);
    assertThat(overlaps.get()).isZero();
    for (int i = 0; i < KEYS; i++) {
      assertThat(successes.get(i)).as("loads of key %d", i).isEqualTo(1);
    }
    assertThat(store.records).hasSize(KEYS);
    assertThat(fills.stats().recordsWritten()).isEqualTo(KEYS);
    assertThat(fills.stats().liveLeases()).isZero();
    assertThat(fills.stats().waiterFailures()).isZero();
  }

  private Fills newFills(long maxInFlightBytes) {
    Fills created =
        new Fills(
            new FillLimits(TIMEOUT, KEYS, THREADS * KEYS, maxInFlightBytes, 2),
            new Admission(new UUID(0, 1), 1L << 30, 0, 4_096, 4_096, () -> 0),
            clock::get,
            false);
    created.startWriters();
    return created;
  }

  /** Runs the readers, and the clock by {@code tick} until they end; returns what each has read. */
  private List<Integer> readAll(
      Fills fills, long seed, int troublePercent, List<Trouble> troubles, long tick)
      throws Exception {
    ExecutorService threads = Executors.newFixedThreadPool(THREADS);
    try {
      List<Future<Integer>> readers = new ArrayList<>();
      for (int t = 0; t < THREADS; t++) {
        Random random = new Random(seed * 1_000 + t);
        readers.add(
            threads.submit(() -> new Reader(fills, random, troublePercent, troubles).readAll()));
      }
      List<Integer> read = new ArrayList<>();
      for (Future<Integer> reader : readers) {
        while (!isDone(reader)) {
          clock.addAndGet(tick);
          fills.expire();
        }
        read.add(reader.get());
      }
      return read;
    } finally {
      threads.shutdown();
    }
  }

  private static boolean isDone(Future<Integer> reader) throws Exception {
    try {
      // Throws what the reader threw.
      reader.get(1, TimeUnit.MILLISECONDS);
      return true;
    } catch (TimeoutException e) {
      return false;
    }
  }

  /** One connection that reads as a client does: in batches, its own leases first. */
  private final class Reader {
    private final Fills fills;
    private final Random random;
    private final int troublePercent;
    private final List<Trouble> troubles;
    private long holder;

    Reader(Fills fills, Random random, int troublePercent, List<Trouble> troubles) {
      this.fills = fills;
      this.random = random;
      this.troublePercent = troublePercent;
      this.troubles = troubles;
      this.holder = fills.openHolder();
    }

    int readAll() {
      List<Integer> order = new ArrayList<>();
      for (int i = 0; i < KEYS; i++) {
        order.add(i);
      }
      // The same order for all, from the same moment: the connections meet at every key.
      Collections.shuffle(order, new Random(KEYS));
      start.arriveAndAwaitAdvance();
      try {
        return readInBatches(order);
      } finally {
        // A reader that fails must not leave the others waiting for it.
        fills.closeHolder(holder);
      }
    }

    private int readInBatches(List<Integer> order) {
      int read = 0;
      for (int from = 0; from < KEYS; from += BATCH) {
        List<Integer> left = order.subList(from, from + BATCH);
        while (!left.isEmpty()) {
          List<Integer> again = readOnce(left);
          read += left.size() - again.size();
          left = again;
        }
      }
      return read;
    }

    /** Returns the samples that are still not read. */
    private List<Integer> readOnce(List<Integer> batch) {
      List<Integer> again = new ArrayList<>();
      List<Integer> others = new ArrayList<>();
      List<Integer> mine = new ArrayList<>();
      List<Long> leases = new ArrayList<>();
      for (int i : batch) {
        if (store.contains(key(i))) {
          continue;
        }
        MissAnswer answer = fills.missing(store, key(i), holder);
        switch (answer.kind()) {
          case RECORD -> assertThat(answer.record()).isEqualTo(recordOf(i));
          case IN_STORE -> again.add(i);
          case GRANTED -> {
            begin(i);
            mine.add(i);
            leases.add(answer.lease());
          }
          case LEASED_TO_OTHER, HELD_BY_YOU -> others.add(i);
          case REFUSED -> throw new AssertionError(answer);
        }
      }
      for (int m = 0; m < mine.size(); m++) {
        int i = mine.get(m);
        Trouble trouble = nextTrouble();
        if (trouble == Trouble.DISCONNECT) {
          List<Integer> rest = mine.subList(m, mine.size());
          rest.forEach(this::end);
          again.addAll(rest);
          reconnect();
          break;
        } else if (!load(i, leases.get(m), trouble)) {
          again.add(i);
        }
      }
      for (int i : others) {
        if (!awaitOther(i)) {
          again.add(i);
        }
      }
      return again;
    }

    private @Nullable Trouble nextTrouble() {
      return random.nextInt(100) < troublePercent
          ? troubles.get(random.nextInt(troubles.size()))
          : null;
    }

    private void begin(int i) {
      if (loading.incrementAndGet(i) > 1) {
        overlaps.incrementAndGet();
      }
    }

    private void end(int i) {
      loading.decrementAndGet(i);
    }

    private void reconnect() {
      fills.closeHolder(holder);
      holder = fills.openHolder();
    }

    private boolean load(int i, long lease, @Nullable Trouble trouble) {
      end(i);
      if (trouble == Trouble.RELEASE) {
        fills.release(key(i), holder, lease);
        return false;
      } else if (trouble == Trouble.DISCONNECT) {
        reconnect();
        return false;
      } else if (trouble == Trouble.SILENCE) {
        return false;
      }
      successes.incrementAndGet(i);
      Submitted submitted;
      do {
        submitted = fills.submit(store, key(i), recordOf(i));
      } while (submitted == Submitted.BUSY && fills.renew(key(i), holder, lease));
      return true;
    }

    private boolean awaitOther(int i) {
      CompletableFuture<MissAnswer> told = new CompletableFuture<>();
      MissAnswer now =
          fills.await(
              store,
              key(i),
              holder,
              answer -> {
                if (answer.kind() == Kind.GRANTED) {
                  begin(i);
                }
                if (!told.complete(answer)) {
                  throw new IllegalStateException("called twice");
                }
              });
      if (now.kind() == Kind.GRANTED) {
        begin(i);
      }
      MissAnswer answer = now.kind() == Kind.LEASED_TO_OTHER ? told.join() : now;
      return switch (answer.kind()) {
        case RECORD -> {
          assertThat(answer.record()).isEqualTo(recordOf(i));
          yield true;
        }
        case GRANTED -> load(i, answer.lease(), nextTrouble());
        case IN_STORE -> false;
        case HELD_BY_YOU, LEASED_TO_OTHER, REFUSED -> throw new AssertionError(answer);
      };
    }
  }

  private static SampleKey key(long index) {
    return new SampleKey(11, 22, 33, 0, 0, index);
  }

  private static byte[] recordOf(int i) {
    return new byte[] {(byte) i, (byte) (i >> 8)};
  }
}
