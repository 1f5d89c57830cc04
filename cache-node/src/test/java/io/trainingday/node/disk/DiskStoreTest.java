package io.trainingday.node.disk;

import static io.trainingday.node.disk.TestRecords.bytesOf;
import static io.trainingday.node.disk.TestRecords.key;
import static io.trainingday.node.disk.TestRecords.options;
import static io.trainingday.node.disk.TestRecords.read;
import static io.trainingday.node.disk.TestRecords.record;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.withinPercentage;
import static org.awaitility.Awaitility.await;

import io.trainingday.config.DataSize;
import io.trainingday.grid.BoundedLoadAffinity;
import io.trainingday.grid.SampleKey;
import io.trainingday.node.disk.DiskStore.WriteResult;
import io.trainingday.node.store.RecordStore;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.ReentrantLock;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

final class DiskStoreTest {
  private static final double SLACK = 1.05;

  private final Path directory;

  DiskStoreTest(@TempDir Path parent) {
    directory = parent.resolve("disk");
  }

  @ParameterizedTest
  @ValueSource(ints = {0, 1, 63, 64, 65, 4_096, 262_079, 262_080, 262_081, 524_288, 1_000_001})
  void write_anyLength_isReadAsItWas(int length) {
    byte[] written = new byte[length];
    new SplittableRandom(length).nextBytes(written);
    try (DiskStore store = DiskStore.open(options(directory))) {
      assertThat(store.write(key(1), record(1, 100))).isEqualTo(WriteResult.STORED);
      assertThat(store.write(key(2), written)).isEqualTo(WriteResult.STORED);
      assertThat(store.write(key(3), record(3, 100))).isEqualTo(WriteResult.STORED);

      assertThat(read(store, key(2))).isEqualTo(written);
      assertThat(read(store, key(3))).isEqualTo(record(3, 100));
    }
    try (DiskStore store = DiskStore.open(options(directory))) {
      assertThat(read(store, key(2))).isEqualTo(written);
      assertThat(store.stats().records()).isEqualTo(3);
      assertThat(store.stats().recordBytes())
          .isEqualTo(length + record(1, 100).length + record(3, 100).length);
    }
  }

  @Test
  void key_differentInOneField_isAnotherRecord() {
    List<SampleKey> keys =
        List.of(
            new SampleKey(1, 1, 1, 1, 1, 1),
            new SampleKey(-1, 1, 1, 1, 1, 1),
            new SampleKey(1, -1, 1, 1, 1, 1),
            new SampleKey(1, 1, -1, 1, 1, 1),
            new SampleKey(1, 1, 1, Long.MAX_VALUE, 1, 1),
            new SampleKey(1, 1, 1, 1, -1, 1),
            new SampleKey(1, 1, 1, 1, 1, Long.MAX_VALUE));
    try (DiskStore store = DiskStore.open(options(directory))) {
      for (int i = 0; i < keys.size(); i++) {
        assertThat(store.contains(keys.get(i))).isFalse();
        assertThat(read(store, keys.get(i))).isNull();
        store.write(keys.get(i), record(i, 50));
      }
      for (int i = 0; i < keys.size(); i++) {
        assertThat(store.contains(keys.get(i))).isTrue();
        assertThat(read(store, keys.get(i))).isEqualTo(record(i, 50));
      }
      List<SampleKey> listed = new ArrayList<>();
      store.forEachKey((key, bytes) -> listed.add(key));
      assertThat(listed).containsExactlyInAnyOrderElementsOf(keys);
    }
  }

  @Test
  void remove_givesAMissAndSpace_andANewRecordCanCome() {
    try (DiskStore store = DiskStore.open(options(directory))) {
      store.write(key(1), record(1, 5_000));
      assertThat(store.remove(key(2))).isFalse();
      assertThat(store.remove(key(1))).isTrue();
      assertThat(store.remove(key(1))).isFalse();
      assertThat(read(store, key(1))).isNull();
      assertThat(store.contains(key(1))).isFalse();

      store.write(key(1), record(7, 5_000));
      store.write(key(1), record(8, 6_000));
      assertThat(read(store, key(1))).isEqualTo(record(8, 6_000));
      assertThat(store.stats().records()).isEqualTo(1);
      assertThat(store.stats().recordBytes()).isEqualTo(record(8, 6_000).length);
    }
  }

  @Test
  void sink_thatRefusesOrThrows_getsAMissAndHarmsNobody() {
    try (DiskStore store = DiskStore.open(options(directory))) {
      store.write(key(1), record(1, 300_000));
      ReadBack refusing =
          new ReadBack() {
            @Override
            public boolean begin(int recordLength) {
              return false;
            }
          };
      ReadBack failing =
          new ReadBack() {
            @Override
            public void copy(long address, int length) {
              throw new IllegalStateException("a broken sink");
            }
          };
      assertThat(store.read(key(1), refusing)).isEqualTo(RecordStore.MISS);
      assertThat(store.read(key(1), failing)).isEqualTo(RecordStore.MISS);
      assertThat(read(store, key(1))).isEqualTo(record(1, 300_000));
      assertThat(store.stats().damaged()).isZero();
    }
  }

  @Test
  void drop_takesTheRangeAndNothingElse() {
    try (DiskStore store = DiskStore.open(options(directory))) {
      for (long dataset : new long[] {7, 8, -1}) {
        for (long incarnation : new long[] {0, -1}) {
          for (long version = 0; version < 3; version++) {
            for (long index = 0; index < 40; index++) {
              store.write(
                  new SampleKey(dataset, incarnation, 5, version, 0, index), record(index, 10));
            }
          }
        }
      }

      assertThat(store.drop(KeyRange.versionsBelow(7, 0, 5, 2))).isEqualTo(2 * 40);
      assertThat(store.drop(KeyRange.versionsBelow(7, 0, 6, 2))).isZero();
      assertThat(store.drop(KeyRange.incarnation(8, -1))).isEqualTo(3 * 40);
      assertThat(store.drop(KeyRange.pipeline(8, 0, 5))).isEqualTo(3 * 40);
      assertThat(store.drop(KeyRange.dataset(-1))).isEqualTo(6 * 40);

      Map<String, Integer> left = new HashMap<>();
      store.forEachKey(
          (key, bytes) -> {
            left.merge(key.dataset() + " " + key.incarnation(), 1, Integer::sum);
            return bytes == record(key.index(), 10).length;
          });
      assertThat(left).containsOnly(Map.entry("7 0", 40), Map.entry("7 -1", 3 * 40));
      assertThat(store.stats().records()).isEqualTo(4 * 40);
      await().until(() -> bytesOf(directory.resolve("records")) < 9 * 40 * 320);
    }
  }

  @Test
  void partition_isListedAndDroppedByItself() {
    try (DiskStore store = DiskStore.open(options(directory))) {
      Set<SampleKey> wanted = new HashSet<>();
      Set<SampleKey> others = new HashSet<>();
      int partition = BoundedLoadAffinity.partition(11, TestRecords.PARTITIONS);
      for (long version = 0; version < 3; version++) {
        for (long dataset : new long[] {1, -1}) {
          for (long index = 0; index < 200; index++) {
            SampleKey key = new SampleKey(dataset, 1, -1, version, 2, index);
            boolean isWanted =
                BoundedLoadAffinity.partition(index, TestRecords.PARTITIONS) == partition;
            (isWanted ? wanted : others).add(key);
            store.write(key, record(index, 10));
          }
        }
      }

      Set<SampleKey> listed = new HashSet<>();
      assertThat(store.forEachKey(partition, (key, bytes) -> listed.add(key))).isTrue();
      assertThat(listed).isEqualTo(wanted).hasSizeGreaterThan(6);
      AtomicLong shown = new AtomicLong();
      assertThat(store.forEachKey(partition, (key, bytes) -> shown.incrementAndGet() < 2))
          .isFalse();
      assertThat(shown).hasValue(2);

      assertThat(store.dropPartition(partition)).isEqualTo(wanted.size());
      Set<SampleKey> left = new HashSet<>();
      store.forEachKey((key, bytes) -> left.add(key));
      assertThat(left).isEqualTo(others);
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {150, 150_000})
  void budget_usedUp_refusesWritesAndKeepsWhatIsThere(int bodyBytes) {
    try (DiskStore store = DiskStore.open(options(directory))) {
      long written = fill(store, bodyBytes);

      // Room to merge the index's tables stays free, and they are large where records are small.
      double least = bodyBytes < 1_000 ? 0.85 : 0.9;
      assertThat(bytesOf(directory)).isGreaterThan((long) (least * (64 << 20)));
      // The index removes the files that it has merged in the background.
      await()
          .untilAsserted(
              () ->
                  assertThat(store.usedBytes()).isCloseTo(bytesOf(directory), withinPercentage(1)));
      assertThat(store.stats().refusedBudget()).isEqualTo(1);
      assertThat(store.stats().records()).isEqualTo(written);
      for (long index = 0; index < written; index += 1 + written / 200) {
        assertThat(read(store, key(index))).isEqualTo(record(index, bodyBytes));
      }

      // Half of it goes, in no order of the files.
      for (long index = 0; index < written; index += 2) {
        assertThat(store.remove(key(index))).isTrue();
      }
      await().until(() -> bytesOf(directory) < 40 << 20);
      for (long index = 1; index < written; index += 2 + written / 100 * 2) {
        assertThat(read(store, key(index))).isEqualTo(record(index, bodyBytes));
      }
      assertThat(store.write(key(written), record(written, bodyBytes)))
          .isEqualTo(WriteResult.STORED);
    }
    assertThat(bytesOf(directory)).isLessThan(45 << 20);
  }

  /** Writes until it is refused; looks that the budget is kept all the time. */
  private long fill(DiskStore store, int bodyBytes) {
    long index = 0;
    long looks = 3_000_000 / bodyBytes;
    while (true) {
      WriteResult result = store.write(key(index), record(index, bodyBytes));
      if (index % looks == 0) {
        assertThat(bytesOf(directory)).isLessThan((long) (SLACK * (64 << 20)));
      }
      if (result != WriteResult.STORED) {
        assertThat(result).isEqualTo(WriteResult.BUDGET_FULL);
        return index;
      }
      index++;
    }
  }

  @Test
  void evictor_makesRoomForNewRecords_withinTheBudget() {
    CompletableFuture<DiskStore> opened = new CompletableFuture<>();
    SplittableRandom random = new SplittableRandom(3);
    ReentrantLock evicting = new ReentrantLock();
    DiskOptions.Evictor evictor =
        bytes -> {
          evicting.lock();
          try {
            List<SampleKey> victims = new ArrayList<>();
            List<SampleKey> all = new ArrayList<>();
            opened.join().forEachKey((key, length) -> all.add(key));
            long freed = 0;
            while (freed < bytes && !all.isEmpty()) {
              victims.add(all.remove(random.nextInt(all.size())));
              freed += 30_000;
            }
            victims.forEach(opened.join()::remove);
            return freed;
          } finally {
            evicting.unlock();
          }
        };
    try (DiskStore store = DiskStore.open(options(directory, 64, evictor))) {
      opened.complete(store);
      long written = 4 * (64L << 20) / 30_000;
      for (long index = 0; index < written; index++) {
        SampleKey key = key(index);
        byte[] record = record(index, 30_000);
        if (store.write(key, record) != WriteResult.STORED) {
          await()
              .pollInterval(Duration.ofMillis(1))
              .until(() -> store.write(key, record) == WriteResult.STORED);
        }
        if (index % 100 == 0) {
          assertThat(bytesOf(directory)).isLessThan((long) (SLACK * (64 << 20)));
        }
      }
      AtomicLong kept = new AtomicLong();
      evicting.lock();
      try {
        store.forEachKey(
            (key, bytes) -> {
              assertThat(read(store, key)).isEqualTo(record(key.index(), 30_000));
              kept.incrementAndGet();
              return true;
            });
        assertThat(store.stats().records()).isEqualTo(kept.get());
      } finally {
        evicting.unlock();
      }
      // What is kept of the budget, while an eighth may be dead and a sixteenth is freed at a time.
      assertThat(kept.get()).isGreaterThan((long) (0.7 * (64 << 20) / 30_000));
      assertThat(store.stats().damaged()).isZero();
      assertThat(store.stats().rewrittenBytes()).isPositive();
    }
  }

  @Test
  void record_ofMoreThanASixteenthOfTheBudget_isRefused() {
    try (DiskStore store = DiskStore.open(options(directory))) {
      assertThat(store.write(key(1), new byte[4 << 20])).isEqualTo(WriteResult.TOO_LARGE);
      assertThat(store.write(key(1), new byte[(4 << 20) - 64])).isEqualTo(WriteResult.STORED);
      assertThat(store.stats().refusedTooLarge()).isEqualTo(1);
    }
  }

  @Test
  void threads_writingReadingAndRemoving_neverGetAWrongRecord() throws Exception {
    int keys = 600;
    int threads = 4;
    CompletableFuture<DiskStore> opened = new CompletableFuture<>();
    DiskOptions.Evictor evictor =
        bytes -> {
          AtomicLong freed = new AtomicLong();
          opened
              .join()
              .forEachKey(
                  (key, length) -> {
                    if (key.index() % 3 == 0 && opened.join().remove(key)) {
                      freed.addAndGet(length);
                    }
                    return freed.get() < bytes;
                  });
          return freed.get();
        };
    ExecutorService pool = Executors.newFixedThreadPool(threads);
    try (DiskStore store = DiskStore.open(options(directory, 64, evictor))) {
      opened.complete(store);
      List<Future<Integer>> hits = new ArrayList<>();
      for (int thread = 0; thread < threads; thread++) {
        SplittableRandom random = new SplittableRandom(thread);
        hits.add(pool.submit(() -> mix(store, random, keys)));
      }
      for (Future<Integer> hit : hits) {
        assertThat(hit.get()).isPositive();
      }
      AtomicLong counted = new AtomicLong();
      store.forEachKey((key, bytes) -> counted.incrementAndGet() > 0);
      assertThat(store.stats().records()).isEqualTo(counted.get());
      assertThat(store.stats().damaged()).isZero();
      assertThat(bytesOf(directory)).isLessThan((long) (SLACK * (64 << 20)));
    } finally {
      pool.shutdownNow();
    }
  }

  private static int mix(DiskStore store, SplittableRandom random, int keys) {
    int hits = 0;
    for (int i = 0; i < 1_500; i++) {
      long index = random.nextInt(keys);
      int what = random.nextInt(10);
      if (what < 4) {
        store.write(key(index), record(index, 100_000));
      } else if (what == 4) {
        store.remove(key(index));
      } else {
        byte[] found = read(store, key(index));
        if (found != null) {
          assertThat(found).isEqualTo(record(index, 100_000));
          hits++;
        }
      }
    }
    return hits;
  }

  @Test
  void interruptedReader_readsAndStaysInterrupted_andOthersReadOn() {
    try (DiskStore store = DiskStore.open(options(directory))) {
      store.write(key(1), record(1, 10_000));
      Thread.currentThread().interrupt();
      try {
        assertThat(read(store, key(1))).isEqualTo(record(1, 10_000));
        assertThat(store.write(key(2), record(2, 10_000))).isEqualTo(WriteResult.STORED);
      } finally {
        assertThat(Thread.interrupted()).isTrue();
      }
      assertThat(read(store, key(2))).isEqualTo(record(2, 10_000));
    }
  }

  @Test
  void close_waitsForReaders_andThenEverythingIsAMiss() throws Exception {
    DiskStore store = DiskStore.open(options(directory));
    store.write(key(1), record(1, 1_000));
    CountDownLatch inside = new CountDownLatch(1);
    CountDownLatch goOn = new CountDownLatch(1);
    AtomicBoolean readerDone = new AtomicBoolean();
    Thread reader =
        new Thread(
            () -> {
              store.read(
                  key(1),
                  new ReadBack() {
                    @Override
                    public void copy(long address, int length) {
                      inside.countDown();
                      awaitQuietly(goOn);
                      super.copy(address, length);
                      readerDone.set(true);
                    }
                  });
            });
    AtomicBoolean readerWasDone = new AtomicBoolean();
    Thread closer =
        new Thread(
            () -> {
              store.close();
              readerWasDone.set(readerDone.get());
            });
    reader.start();
    inside.await();
    closer.start();
    await().until(() -> closer.getState() == Thread.State.WAITING);
    goOn.countDown();
    closer.join();
    reader.join();

    assertThat(readerWasDone).isTrue();
    assertThat(read(store, key(1))).isNull();
    assertThat(store.contains(key(1))).isFalse();
    assertThat(store.write(key(2), record(2, 10))).isEqualTo(WriteResult.CLOSED);
    assertThat(store.remove(key(1))).isFalse();
    assertThat(store.forEachKey((key, bytes) -> true)).isTrue();
    store.close();
  }

  private static void awaitQuietly(CountDownLatch latch) {
    try {
      latch.await();
    } catch (InterruptedException unexpected) {
      throw new IllegalStateException(unexpected);
    }
  }

  @Test
  void directory_inUse_isRefusedInWords() {
    try (DiskStore store = DiskStore.open(options(directory))) {
      assertThatThrownBy(() -> DiskStore.open(options(directory)))
          .isInstanceOf(DiskRefusedException.class)
          .hasMessage(
              "disk directory=%s is used by process %d, allowed: one node a directory; stop that"
                      .formatted(directory, ProcessHandle.current().pid())
                  + " one or give another directory");
      assertThat(store.write(key(1), record(1, 10))).isEqualTo(WriteResult.STORED);
    }
    DiskStore.open(options(directory)).close();
  }

  @Test
  void directory_ofAnotherFormatGridOrPartitions_isRefusedInWordsAndLeftAlone() throws Exception {
    DiskStore.open(options(directory)).close();
    assertThatThrownBy(
            () ->
                DiskStore.open(
                    new DiskOptions(
                        directory, DataSize.ofMiB(64), "other", 64, DiskOptions.Evictor.none())))
        .isInstanceOf(DiskRefusedException.class)
        .hasMessage(
            "disk directory=%s has grid=test, allowed: other; give another directory, or empty this"
                    .formatted(directory)
                + " one, or set grid back");
    assertThatThrownBy(
            () ->
                DiskStore.open(
                    new DiskOptions(
                        directory, DataSize.ofMiB(64), "test", 32, DiskOptions.Evictor.none())))
        .hasMessageContaining("has partitions=64, allowed: 32");
    Path stamp = directory.resolve("training-day-disk");
    Files.writeString(stamp, Files.readString(stamp).replace("format=1", "format=2"));
    assertThatThrownBy(() -> DiskStore.open(options(directory)))
        .hasMessage(
            "disk directory=%s has format=2, allowed: 1; give another directory, or empty this one,"
                    .formatted(directory)
                + " or take the version of training-day that wrote it");
    assertThat(directory.resolve("index")).isNotEmptyDirectory();
  }

  @Test
  void directory_withForeignFiles_isRefusedInWordsAndLeftAlone() throws Exception {
    Files.createDirectories(directory);
    Path foreign = Files.writeString(directory.resolve("thesis.tex"), "years");
    assertThatThrownBy(() -> DiskStore.open(options(directory)))
        .isInstanceOf(DiskRefusedException.class)
        .hasMessage(
            "disk directory=%s holds thesis.tex, allowed: an empty directory or one that a node"
                    .formatted(directory)
                + " filled; give another directory, or empty this one");
    assertThat(foreign).hasContent("years");
  }

  @Test
  void directory_thatIsAFile_isRefusedInWords() throws Exception {
    Files.writeString(directory, "a file");
    assertThatThrownBy(() -> DiskStore.open(options(directory)))
        .isInstanceOf(DiskRefusedException.class)
        .hasMessageStartingWith("disk directory=" + directory + " cannot be used: ")
        .hasMessageEndingWith("give a directory that this process may write to");
  }

  @Test
  void options_outsideWhatIsAllowed_areRefusedInWords() {
    assertThatThrownBy(() -> options(directory, 63, DiskOptions.Evictor.none()))
        .isInstanceOf(DiskRefusedException.class)
        .hasMessage("disk budget=63MiB, allowed: from 64MiB; raise it");
    assertThatThrownBy(
            () ->
                new DiskOptions(directory, DataSize.ofMiB(64), "g", 0, DiskOptions.Evictor.none()))
        .hasMessage("partitions=0, allowed: 1..65536");
  }

  @Test
  void nativeLibrary_leavesNoFileBehind() throws Exception {
    DiskStore.open(options(directory)).close();
    try (var files = Files.list(Path.of(System.getProperty("java.io.tmpdir")))) {
      assertThat(files.map(Path::getFileName).map(Path::toString))
          .noneMatch(name -> name.startsWith("training-day-rocksdb"));
    }
  }
}
