package io.trainingday.node.store;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.awaitility.Awaitility.await;

import io.trainingday.grid.GridCaches;
import io.trainingday.grid.SampleKey;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicBoolean;
import org.apache.ignite.Ignite;
import org.apache.ignite.IgniteCache;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.Parameter;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What every way of reading must do, for every number of backups; one subclass per reader. */
@ParameterizedClass
@ValueSource(ints = {0, 1, 2})
abstract class StoreContract {
  private static final long REGION_BYTES = 192 << 20;
  private static final int LARGEST = 5 << 20;

  private static SmallNode node;

  private final CollectingSink sink = new CollectingSink(LARGEST);

  @Parameter int backups;
  private RecordStore store;

  abstract RecordStores open(Ignite ignite);

  /** Whether copies are read that are not the primary one. */
  abstract boolean readsBackups();

  @BeforeAll
  static void startNode(@TempDir Path workDirectory) {
    node = SmallNode.start(workDirectory, REGION_BYTES);
  }

  @AfterAll
  static void stopNode() {
    node.close();
  }

  @BeforeEach
  void openStore() {
    store = open(node.ignite()).of(backups);
  }

  @AfterEach
  void nodeIsHealthy() {
    assertThat(node.failures()).isEmpty();
    SampleKey key = key(Long.MAX_VALUE);
    RecordStore fresh = open(node.ignite()).of(backups);
    fresh.write(key, record(100, 1));
    assertThat(fresh.read(key, sink)).isEqualTo(100);
    assertThat(fresh.remove(key)).isTrue();
    fresh.drain();
    store.drain();
  }

  @ParameterizedTest
  @ValueSource(ints = {0, 1, 63, 4096, 16_384, 150_528, 602_112, LARGEST})
  void read_recordOfAnySize_sameBytes(int length) {
    assertRoundTrip(length);
    assertThat(sink.begins()).isEqualTo(1);
  }

  /** Lengths around whole pages: every place where a fragment can end within a row's header. */
  @ParameterizedTest
  @ValueSource(ints = {1, 2, 10})
  void read_recordsAroundPageBoundaries_sameBytes(int pages) {
    int boundary = pages * SmallNode.PAGE_BYTES;
    for (int length = boundary - 450 - 50 * pages; length < boundary + 50; length++) {
      assertRoundTrip(length);
    }
  }

  private void assertRoundTrip(int length) {
    SampleKey key = key(length);
    byte[] record = record(length, length);
    store.write(key, record);

    assertThat(store.contains(key)).isTrue();
    assertThat(store.read(key, sink)).isEqualTo(length);
    assertThat(sink.announced()).isEqualTo(length);
    assertThat(Arrays.equals(sink.bytes(), record)).as("bytes of length %d", length).isTrue();
    assertThat(store.remove(key)).isTrue();
  }

  @Test
  void read_keysThatDifferInOneField_areDifferentRecords() {
    List<SampleKey> keys =
        List.of(
            new SampleKey(1, 1, 1, 1, 1, 1),
            new SampleKey(2, 1, 1, 1, 1, 1),
            new SampleKey(1, 2, 1, 1, 1, 1),
            new SampleKey(1, 1, 2, 1, 1, 1),
            new SampleKey(1, 1, 1, 2, 1, 1),
            new SampleKey(1, 1, 1, 1, 2, 1),
            new SampleKey(1, 1, 1, 1, 1, 2),
            new SampleKey(-1, Long.MIN_VALUE, Long.MAX_VALUE, -2, -3, -4));
    for (int i = 0; i < keys.size(); i++) {
      store.write(keys.get(i), record(20_000 + i, i));
    }
    for (int i = 0; i < keys.size(); i++) {
      assertThat(store.read(keys.get(i), sink)).isEqualTo(20_000 + i);
      assertThat(sink.bytes()).isEqualTo(record(20_000 + i, i));
      assertThat(store.remove(keys.get(i))).isTrue();
    }
  }

  @Test
  void read_manyRecords_eachItsOwnBytes() {
    int count = 5_000;
    for (int i = 0; i < count; i++) {
      store.write(key(i), record(200 + i % 3_000, i));
    }
    for (int i = 0; i < count; i++) {
      assertThat(store.read(key(i), sink)).isEqualTo(200 + i % 3_000);
      assertThat(Arrays.equals(sink.bytes(), record(200 + i % 3_000, i))).isTrue();
      assertThat(store.remove(key(i))).isTrue();
    }
  }

  @Test
  void read_missing_missesWithoutTouchingTheSink() {
    assertThat(store.read(key(1), sink)).isEqualTo(RecordStore.MISS);
    assertThat(store.contains(key(1))).isFalse();
    assertThat(store.remove(key(1))).isFalse();
    assertThat(sink.begins()).isZero();
  }

  @Test
  void read_removed_misses() {
    store.write(key(2), record(150_528, 2));
    assertThat(store.remove(key(2))).isTrue();

    assertThat(store.read(key(2), sink)).isEqualTo(RecordStore.MISS);
    assertThat(store.contains(key(2))).isFalse();
  }

  @Test
  void read_valueThatIsNoRecord_misses() {
    IgniteCache<SampleKey, Object> cache = node.ignite().cache(GridCaches.samples(backups));
    for (Object foreign : List.of("a string", 42L, new int[10_000], new byte[2][3])) {
      cache.put(key(3), foreign);
      assertThat(store.read(key(3), sink)).isEqualTo(RecordStore.MISS);
    }
    assertThat(sink.begins()).isZero();
    cache.remove(key(3));
  }

  @ParameterizedTest
  @ValueSource(ints = {0, 100, 150_528})
  void read_refusedBySink_missesAndCopiesNothing(int length) {
    store.write(key(4), record(length, 4));

    int outcome =
        store.read(
            key(4),
            new ThrowingSink() {
              @Override
              public boolean begin(int recordLength) {
                return false;
              }
            });

    assertThat(outcome).isEqualTo(RecordStore.MISS);
    assertThat(store.read(key(4), sink)).isEqualTo(length);
    assertThat(store.remove(key(4))).isTrue();
  }

  @ParameterizedTest
  @ValueSource(ints = {100, 150_528})
  void read_sinkThatThrows_missesAndTheNodeStaysHealthy(int length) {
    store.write(key(5), record(length, 5));

    assertThat(store.read(key(5), new ThrowingSink())).isEqualTo(RecordStore.MISS);
    assertThat(
            store.read(
                key(5),
                new ThrowingSink() {
                  @Override
                  public boolean begin(int recordLength) {
                    throw new IllegalStateException("thrown on purpose");
                  }
                }))
        .isEqualTo(RecordStore.MISS);
    assertThat(store.read(key(5), sink)).isEqualTo(length);
    assertThat(store.remove(key(5))).isTrue();
  }

  @Test
  void read_whileOverwrittenAndRemoved_wholeOrMiss() throws Exception {
    int keys = 6;
    int[] lengths = {50, 4_000, 16_300, 60_000, 150_528};
    AtomicBoolean stop = new AtomicBoolean();
    ExecutorService threads = Executors.newFixedThreadPool(3);
    try {
      List<Future<Integer>> readers = new ArrayList<>();
      for (int reader = 0; reader < 2; reader++) {
        readers.add(threads.submit(wholeOrMiss(store, keys, lengths, stop)));
      }
      Random random = new Random(6);
      for (int i = 0; i < 6_000; i++) {
        SampleKey key = key(1_000 + random.nextInt(keys));
        if (random.nextInt(3) == 0) {
          boolean removed = store.remove(key);
          assertThat(store.contains(key)).as("removed %s", removed).isFalse();
        } else {
          byte fill = (byte) i;
          byte[] record = new byte[lengths[Math.floorMod(fill, lengths.length)]];
          Arrays.fill(record, fill);
          store.write(key, record);
        }
      }
      stop.set(true);
      for (Future<Integer> reader : readers) {
        assertThat(reader.get()).as("records read while they changed").isGreaterThan(100);
      }
    } finally {
      stop.set(true);
      threads.shutdown();
      for (int i = 0; i < keys; i++) {
        boolean present = store.contains(key(1_000 + i));
        assertThat(store.remove(key(1_000 + i))).isEqualTo(present);
      }
    }
  }

  private static Callable<Integer> wholeOrMiss(
      RecordStore store, int keys, int[] lengths, AtomicBoolean stop) {
    return () -> {
      CollectingSink own = new CollectingSink(LARGEST);
      int hits = 0;
      for (int i = 0; !stop.get(); i++) {
        int length = store.read(key(1_000 + i % keys), own);
        if (length != RecordStore.MISS) {
          byte[] record = own.bytes();
          byte[] whole = new byte[lengths[Math.floorMod(record[0], lengths.length)]];
          Arrays.fill(whole, record[0]);
          assertThat(Arrays.equals(record, whole)).as("whole record of %d", length).isTrue();
          hits++;
        }
      }
      return hits;
    };
  }

  /** A second node takes over half of the primary copies while they are read on both. */
  @Test
  void read_whilePartitionsMove_wholeOrMissAndInTheEndWhereTheyBelong(@TempDir Path directory)
      throws Exception {
    int keys = 120;
    int[] lengths = {40_000};
    AtomicBoolean stop = new AtomicBoolean();
    int port = SmallNode.freePort();
    ExecutorService threads = Executors.newFixedThreadPool(2);
    try (SmallNode first = SmallNode.join(directory.resolve("first"), 64 << 20, port)) {
      RecordStore here = open(first.ignite()).of(backups);
      for (int i = 0; i < keys; i++) {
        byte[] record = new byte[lengths[0]];
        Arrays.fill(record, (byte) i);
        here.write(key(1_000 + i), record);
      }
      Future<Integer> hereReader = threads.submit(wholeOrMiss(here, keys, lengths, stop));
      try (SmallNode second = SmallNode.join(directory.resolve("second"), 64 << 20, port)) {
        RecordStore there = open(second.ignite()).of(backups);
        Future<Integer> thereReader = threads.submit(wholeOrMiss(there, keys, lengths, stop));
        await()
            .atMost(Duration.ofMinutes(1))
            .untilAsserted(
                () -> {
                  if (readsBackups() && backups > 0) {
                    assertThat(held(here, keys)).isEqualTo(keys);
                    assertThat(held(there, keys)).isEqualTo(keys);
                  } else {
                    assertThat(held(here, keys)).isBetween(1, keys - 1);
                    assertThat(held(here, keys) + held(there, keys)).isEqualTo(keys);
                  }
                });
        for (int i = 0; i < keys; i++) {
          assertThat(here.contains(key(1_000 + i)) || there.contains(key(1_000 + i))).isTrue();
        }
        stop.set(true);
        assertThat(hereReader.get()).isPositive();
        assertThat(thereReader.get()).isPositive();
        there.drain();
        here.drain();
        assertThat(second.failures()).isEmpty();
      }
      assertThat(first.failures()).isEmpty();
    } finally {
      stop.set(true);
      threads.shutdown();
    }
  }

  private static int held(RecordStore store, int keys) {
    int held = 0;
    for (int i = 0; i < keys; i++) {
      held += store.contains(key(1_000 + i)) ? 1 : 0;
    }
    return held;
  }

  @Test
  void read_afterDrain_misses() {
    store.write(key(7), record(100, 7));
    store.drain();
    store.drain();

    assertThat(store.read(key(7), sink)).isEqualTo(RecordStore.MISS);
    assertThat(store.contains(key(7))).isFalse();
    assertThat(store.remove(key(7))).isTrue();
  }

  @Test
  void open_cacheGone_saysWhich(@TempDir Path otherDirectory) {
    try (SmallNode other = SmallNode.start(otherDirectory, 64 << 20)) {
      other.ignite().destroyCache(GridCaches.samples(backups));
      assertThatIllegalArgumentException()
          .isThrownBy(() -> open(other.ignite()))
          .withMessageContaining("no cache samples-" + backups);
    }
  }

  @Test
  void write_stoppedNode_namesKeyAndReason(@TempDir Path otherDirectory) {
    SmallNode other = SmallNode.start(otherDirectory, 64 << 20);
    RecordStore otherStore = open(other.ignite()).of(backups);
    otherStore.write(key(8), record(10, 8));
    other.close();

    assertThat(otherStore.read(key(8), sink)).isEqualTo(RecordStore.MISS);
    assertThatExceptionOfType(RecordStore.WriteException.class)
        .isThrownBy(() -> otherStore.write(key(8), record(10, 8)))
        .withMessageStartingWith("could not store " + key(8) + ", 10 bytes: ");
    assertThatExceptionOfType(RecordStore.WriteException.class)
        .isThrownBy(() -> otherStore.remove(key(8)))
        .withMessageStartingWith("could not remove " + key(8) + ": ");
  }

  private static SampleKey key(long index) {
    return new SampleKey(0x0123456789ABCDEFL, 77, -5, 3, 0, index);
  }

  private static byte[] record(int length, long seed) {
    byte[] record = new byte[length];
    new Random(seed).nextBytes(record);
    return record;
  }

  private static class ThrowingSink implements RecordSink {
    @Override
    public boolean begin(int recordLength) {
      return true;
    }

    @Override
    public void copy(long address, int length) {
      throw new AssertionError("thrown on purpose");
    }

    @Override
    public void copy(byte[] bytes, int offset, int length) {
      throw new AssertionError("thrown on purpose");
    }
  }
}
