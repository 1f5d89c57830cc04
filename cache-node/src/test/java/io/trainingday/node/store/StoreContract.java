package io.trainingday.node.store;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.awaitility.Awaitility.await;

import io.trainingday.grid.BoundedLoadAffinity;
import io.trainingday.grid.GridCaches;
import io.trainingday.grid.SampleKey;
import io.trainingday.node.TestNodes;
import io.trainingday.node.store.RecordStores.Held;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
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
@ValueSource(ints = {0, 1})
abstract class StoreContract {
  private static final long REGION_BYTES = 192 << 20;
  private static final int LARGEST = 5 << 20;

  private static SmallNode node;

  private final CollectingSink sink = new CollectingSink(LARGEST);

  @Parameter int backups;
  private RecordStores stores;
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
    stores = open(node.ignite());
    store = stores.of(backups);
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
    int port = TestNodes.freePorts(SmallNode.PORTS);
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
        await().untilAsserted(() -> assertTargets(first, second, here, there, keys));
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

  private void assertTargets(
      SmallNode first, SmallNode second, RecordStore here, RecordStore there, int keys) {
    UUID firstId = first.ignite().cluster().localNode().id();
    UUID secondId = second.ignite().cluster().localNode().id();
    for (int i = 0; i < keys; i++) {
      List<UUID> targets = here.targets(key(1_000 + i));
      assertThat(there.targets(key(1_000 + i))).isEqualTo(targets);
      if (backups > 0) {
        assertThat(targets).containsExactlyInAnyOrder(firstId, secondId);
      } else {
        assertThat(targets).hasSize(1).isSubsetOf(firstId, secondId);
      }
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
  void forEachKey_recordsOfAllSizes_showsEachOnceWithItsLength() {
    Map<SampleKey, Integer> written = new HashMap<>();
    for (int i = 0; i < 3_000; i++) {
      int length = i % 100 == 0 ? 150_528 : 10 + i % 500;
      written.put(key(i), length);
      store.write(key(i), new byte[length]);
    }
    IgniteCache<Object, Object> cache = node.ignite().cache(GridCaches.samples(backups));
    cache.put("no sample", "at all");

    Map<SampleKey, Integer> shown = new HashMap<>();
    for (int partition : stores.partitions(backups, Held.PRIMARY)) {
      long before = shown.size();
      assertThat(
              stores.forEachKey(
                  backups,
                  partition,
                  (key, length) -> {
                    assertThat(shown.put(key, length)).as("%s before", key).isNull();
                    return true;
                  }))
          .isTrue();
      assertThat(stores.records(backups, partition))
          .isBetween(shown.size() - before, 1L + shown.size() - before);
    }
    assertThat(shown).isEqualTo(written);

    cache.remove("no sample");
    written.keySet().forEach(key -> assertThat(store.remove(key)).isTrue());
  }

  @Test
  void forEachKey_visitorHasSeenEnough_stops() {
    SampleKey one = key(7);
    SampleKey same = new SampleKey(1, 1, 1, 1, 1, 7);
    store.write(one, record(10, 1));
    store.write(same, record(10, 1));
    int partition = BoundedLoadAffinity.partition(7, SmallNode.PARTITIONS);
    List<SampleKey> shown = new ArrayList<>();

    assertThat(stores.forEachKey(backups, partition, (key, length) -> !shown.add(key))).isFalse();

    assertThat(shown).hasSize(1);
    assertThat(store.remove(one) && store.remove(same)).isTrue();
  }

  @Test
  void forEachKey_whileOthersComeAndGo_showsWhatStaysOnce() throws Exception {
    int staying = 2_000;
    for (int i = 0; i < staying; i++) {
      store.write(inPartitionZero(i), record(40, i));
    }
    AtomicBoolean stop = new AtomicBoolean();
    ExecutorService threads = Executors.newFixedThreadPool(2);
    try {
      for (int thread = 0; thread < 2; thread++) {
        Random random = new Random(thread);
        long base = 1_000_000L * (thread + 1);
        Future<?> unused =
            threads.submit(
                () -> {
                  while (!stop.get()) {
                    for (int i = 0; i < 500; i++) {
                      store.write(inPartitionZero(base + i), new byte[random.nextInt(3_000)]);
                    }
                    for (int i = 0; i < 500; i++) {
                      store.remove(inPartitionZero(base + i));
                    }
                  }
                });
      }
      for (int round = 0; round < 30; round++) {
        Set<SampleKey> shown = new HashSet<>();
        assertThat(stores.forEachKey(backups, 0, (key, length) -> shown.add(key))).isTrue();
        for (int i = 0; i < staying; i++) {
          assertThat(shown).contains(inPartitionZero(i));
        }
      }
    } finally {
      stop.set(true);
      threads.shutdown();
      assertThat(threads.awaitTermination(1, TimeUnit.MINUTES)).isTrue();
    }
    assertThat(stores.forEachKey(backups, 0, (key, length) -> store.remove(key))).isTrue();
  }

  @Test
  void drop_onlyCopy_goneAndItsPagesAreFree() {
    store.write(key(9), record(150_528, 9));
    stores.drop(backups, key(9));
    long used = node.usedPages();
    for (int i = 0; i < 1_000; i++) {
      store.write(key(9), record(150_528, 9));
      assertThat(store.contains(key(9))).isTrue();
      stores.drop(backups, key(9));
      assertThat(store.contains(key(9))).isFalse();
    }
    assertThat(node.usedPages()).isBetween(used - 20, used + 20);
    stores.drop(backups, key(9));
  }

  @Test
  void targets_oneNode_isThatNode() {
    assertThat(store.targets(key(1))).containsExactly(node.ignite().cluster().localNode().id());
  }

  @Test
  void drained_showsNothing() {
    store.write(key(7), record(100, 7));
    stores.drain();
    int partition = BoundedLoadAffinity.partition(7, SmallNode.PARTITIONS);

    boolean unused =
        stores.forEachKey(
            backups,
            partition,
            (key, length) -> {
              throw new AssertionError("shown after drain: " + key);
            });
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

  /** Keys that all lie in one partition. */
  private static SampleKey inPartitionZero(long i) {
    long index = i * SmallNode.PARTITIONS;
    // Undoes the mixing in of the higher bits.
    return key(index ^ (index >>> 16 & SmallNode.PARTITIONS - 1));
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
