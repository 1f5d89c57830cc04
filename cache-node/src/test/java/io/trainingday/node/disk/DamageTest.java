package io.trainingday.node.disk;

import static io.trainingday.node.disk.TestRecords.isSound;
import static io.trainingday.node.disk.TestRecords.key;
import static io.trainingday.node.disk.TestRecords.options;
import static io.trainingday.node.disk.TestRecords.read;
import static io.trainingday.node.disk.TestRecords.record;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.trainingday.node.disk.DiskStore.WriteResult;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.stream.Stream;
import org.assertj.core.api.InstanceOfAssertFactories;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

final class DamageTest {
  private static final int RECORDS = 1_000;
  private static final int BODY = 3_000;

  private final Path directory;

  DamageTest(@TempDir Path parent) {
    directory = parent.resolve("disk");
  }

  @Test
  void bitFlip_inAnyRecord_isSeenByItsChecksumAndCounted() throws Exception {
    try (DiskStore store = filled()) {
      flipOneBitOfEach(EntryHeader.LENGTH, record(0, BODY).length);

      for (long index = 0; index < RECORDS; index++) {
        byte[] delivered = read(store, key(index));
        assertThat(delivered).isNotNull();
        assertThat(isSound(delivered)).isFalse();
        assertThat(store.removeDamaged(key(index))).isTrue();
        assertThat(read(store, key(index))).isNull();
      }
      assertThat(store.stats().damaged()).isEqualTo(RECORDS);
      assertThat(store.stats().records()).isZero();
      assertThat(store.write(key(5), record(5, BODY))).isEqualTo(WriteResult.STORED);
      assertThat(read(store, key(5))).isEqualTo(record(5, BODY));
    }
  }

  @Test
  void bitFlip_inAnyHeader_givesAMissAndIsCounted() throws Exception {
    try (DiskStore store = filled()) {
      // The length in a header is not read: that is the index's to say.
      flipOneBitOfEach(EntryHeader.LENGTH - Long.BYTES, Long.BYTES);

      for (long index = 0; index < RECORDS; index++) {
        assertThat(read(store, key(index))).isNull();
        assertThat(store.contains(key(index))).isFalse();
      }
      assertThat(store.stats().damaged()).isEqualTo(RECORDS);
    }
  }

  @Test
  void damagedHeader_inASegmentThatIsEmptied_costsNoOtherRecord() throws Exception {
    try (DiskStore store = filled()) {
      Map<Long, long[]> places = places();
      for (long index = 100; index < RECORDS; index += 100) {
        flip(places.getOrDefault(index, new long[0]), 8L * 20);
      }
      for (long index = 0; index < RECORDS; index++) {
        if (index % 5 < 2) {
          store.remove(key(index));
        }
      }
      await().until(() -> store.stats().rewrittenBytes() > RECORDS / 2 * BODY);
      for (long index = 0; index < RECORDS; index++) {
        if (index % 5 >= 2) {
          assertThat(read(store, key(index))).isEqualTo(record(index, BODY));
        }
      }
    }
  }

  /** What happens to the index while the store is closed. */
  enum Harm {
    GONE {
      @Override
      void to(Path index) throws IOException {
        Directories.delete(index);
      }
    },
    NO_CURRENT {
      @Override
      void to(Path index) throws IOException {
        Files.delete(index.resolve("CURRENT"));
      }
    },
    GARBAGE_IN_CURRENT {
      @Override
      void to(Path index) throws IOException {
        Files.writeString(index.resolve("CURRENT"), "garbage\n");
      }
    },
    GARBAGE_IN_MANIFEST {
      @Override
      void to(Path index) throws IOException {
        garbage(index, "MANIFEST-");
      }
    },
    GARBAGE_IN_TABLES {
      @Override
      void to(Path index) throws IOException {
        garbage(index, ".sst");
      }
    },
    NO_TABLES {
      @Override
      void to(Path index) throws IOException {
        for (Path file : named(index, ".sst")) {
          Files.delete(file);
        }
      }
    },
    RESTORING_CUT_OFF {
      @Override
      void to(Path index) throws IOException {
        Directories.delete(index);
        Files.createDirectories(index);
        Files.write(index.resolveSibling("restoring-index"), new byte[0]);
      }
    };

    abstract void to(Path index) throws IOException;

    static List<Path> named(Path index, String part) throws IOException {
      try (Stream<Path> files = Files.list(index)) {
        List<Path> named =
            files.filter(file -> file.getFileName().toString().contains(part)).toList();
        assertThat(named).isNotEmpty();
        return named;
      }
    }

    static void garbage(Path index, String part) throws IOException {
      for (Path file : named(index, part)) {
        byte[] bytes = Files.readAllBytes(file);
        new SplittableRandom(1).nextBytes(bytes);
        Files.write(file, bytes);
      }
    }
  }

  @ParameterizedTest
  @EnumSource
  void index_damaged_isMadeAnewFromTheRecords_withOneWarning(Harm harm) throws Exception {
    filled().close();
    DiskStore.open(options(directory)).close(); // Makes tables of the index's log.
    harm.to(directory.resolve("index"));
    PrintStream console = System.err;
    ByteArrayOutputStream printed = new ByteArrayOutputStream();
    System.setErr(new PrintStream(printed, true, StandardCharsets.UTF_8));

    try (DiskStore store = DiskStore.open(options(directory))) {
      await().until(() -> store.stats().records() == RECORDS);
      for (long index = 0; index < RECORDS; index++) {
        assertThat(read(store, key(index))).isEqualTo(record(index, BODY));
      }
      await().until(() -> !Files.exists(directory.resolve("restoring-index")));
      assertThat(store.write(key(RECORDS), record(RECORDS, BODY))).isEqualTo(WriteResult.STORED);
    } finally {
      System.setErr(console);
    }
    assertThat(printed.toString(StandardCharsets.UTF_8).lines())
        .singleElement(InstanceOfAssertFactories.STRING)
        .endsWith(
            "WARN  Keeper: the index in %s is damaged: it is made anew from the records; until then"
                    .formatted(directory)
                + " many of them are missed");
    try (DiskStore store = DiskStore.open(options(directory))) {
      assertThat(store.stats().records()).isEqualTo(RECORDS + 1);
    }
  }

  @Test
  void index_damagedWhileOpen_isMadeAnew() throws Exception {
    filled().close();
    try (DiskStore store = DiskStore.open(options(directory))) {
      Harm.GARBAGE_IN_TABLES.to(directory.resolve("index"));
      // Reads find it, as far as the tables are not in the cache yet.
      await()
          .until(
              () -> {
                for (long index = 0; index < RECORDS; index++) {
                  byte[] delivered = read(store, key(index));
                  if (delivered != null) {
                    assertThat(delivered).isEqualTo(record(index, BODY));
                  } else {
                    store.write(key(index), record(index, BODY));
                  }
                }
                return store.stats().records() == RECORDS;
              });
    }
  }

  @Test
  void segment_cutOffOrGone_givesMissesForWhatWasInIt() throws Exception {
    filled().close();
    List<Path> segments = Harm.named(directory.resolve("records"), ".records");
    assertThat(segments).hasSizeGreaterThan(2);
    Files.delete(segments.get(0));
    try (FileChannel file = FileChannel.open(segments.get(1), StandardOpenOption.WRITE)) {
      file.truncate(100_000);
    }
    try (DiskStore store = DiskStore.open(options(directory))) {
      long found = 0;
      for (long index = 0; index < RECORDS; index++) {
        byte[] delivered = read(store, key(index));
        if (delivered != null) {
          assertThat(delivered).isEqualTo(record(index, BODY));
          found++;
        }
      }
      assertThat(found).isBetween(1L, RECORDS - 100L);
      assertThat(store.stats().records()).isEqualTo(found);
      assertThat(store.stats().damaged()).isEqualTo(RECORDS - found);
    }
  }

  private DiskStore filled() {
    DiskStore store = DiskStore.open(options(directory));
    for (long index = 0; index < RECORDS; index++) {
      assertThat(store.write(key(index), record(index, BODY))).isEqualTo(WriteResult.STORED);
    }
    return store;
  }

  private void flipOneBitOfEach(int from, int length) throws IOException {
    assertThat(BitFlips.inEachEntry(directory, from, length)).isEqualTo(RECORDS);
  }

  private Map<Long, long[]> places() throws IOException {
    return BitFlips.places(directory);
  }

  private void flip(long[] place, long bit) throws IOException {
    BitFlips.flip(directory, place, bit);
  }
}
