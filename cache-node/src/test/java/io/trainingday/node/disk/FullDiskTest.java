package io.trainingday.node.disk;

import static io.trainingday.node.disk.TestRecords.key;
import static io.trainingday.node.disk.TestRecords.options;
import static io.trainingday.node.disk.TestRecords.read;
import static io.trainingday.node.disk.TestRecords.record;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import io.trainingday.node.disk.DiskStore.WriteResult;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.time.Duration;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

@Tag("root")
final class FullDiskTest {
  private static final int BODY = 100_000;

  private final Path parent;
  private SmallFileSystem disk;
  private Path directory;

  FullDiskTest(@TempDir Path parent) {
    this.parent = parent;
  }

  @BeforeEach
  void makeDisk() throws Exception {
    disk = SmallFileSystem.of(parent, 40);
    directory = disk.root().resolve("disk");
  }

  @AfterEach
  void removeDisk() throws Exception {
    disk.close();
  }

  @Test
  void disk_full_refusesWritesAndReadsOn_andTakesThemAgainWhenThereIsSpace() {
    try (DiskStore store = DiskStore.open(options(directory))) {
      long written = fill(store);
      assertThat(written).isGreaterThan(300);
      assertThat(store.stats().refusedDiskFull()).isEqualTo(1);

      disk.fill();
      assertThat(store.write(key(written), record(written, BODY))).isEqualTo(WriteResult.DISK_FULL);
      assertAllThere(store, written);

      disk.free();
      for (long index = 0; index < 20; index++) {
        assertThat(store.remove(key(index))).isTrue();
      }
      await().until(() -> store.write(key(written), record(written, BODY)) == WriteResult.STORED);
      assertThat(read(store, key(written))).isEqualTo(record(written, BODY));
    }
  }

  @Test
  void index_thatRanOutOfSpace_worksAgainWithoutARestart() {
    try (DiskStore store = DiskStore.open(options(directory))) {
      long written = 100;
      for (long index = 0; index < written; index++) {
        store.write(key(index), record(index, BODY));
      }
      disk.fill();
      // Removing writes to the index's log, until its last page is full and it fails.
      long removed = 0;
      while (store.remove(key(removed))) {
        store.write(key(removed), record(removed, BODY));
        removed++;
        if (removed == written) {
          removed = 0;
          written = refill(store, written);
        }
      }
      long gone = removed;
      assertThat(store.write(key(0), record(0, BODY))).isEqualTo(WriteResult.DISK_FULL);
      for (long index = gone + 1; index < written; index++) {
        assertThat(read(store, key(index))).isEqualTo(record(index, BODY));
      }

      disk.free();
      await()
          .atMost(Duration.ofSeconds(30))
          .until(() -> store.write(key(0), record(0, BODY)) == WriteResult.STORED);
      for (long index = gone + 1; index < written; index++) {
        assertThat(read(store, key(index))).isEqualTo(record(index, BODY));
        assertThat(store.remove(key(index))).isTrue();
      }
    }
  }

  /** The log's last page holds more than all removals: more records, then full again. */
  private long refill(DiskStore store, long written) {
    disk.free();
    long index = 0;
    while (index < written) {
      assertThat(store.write(key(index), record(index, BODY))).isEqualTo(WriteResult.STORED);
      index++;
    }
    disk.fill();
    return written;
  }

  @Test
  void segment_thatRanOutOfSpace_keepsNothingOfTheEntryAndIsAddedToLater() throws Exception {
    Staging staging = new Staging();
    try (Segments segments = Segments.open(directory, new Sizes(64L << 20), staging)) {
      Location first = segments.append(key(1), record(1, BODY));
      disk.fill();
      assertThatThrownBy(() -> segments.append(key(2), record(2, 3 << 20)))
          .isInstanceOf(IOException.class)
          .hasMessageContaining("No space left on device");
      assertThat(segments.bytes()).isEqualTo(first.entryBytes());
      disk.free();
      Location third = segments.append(key(3), record(3, BODY));

      assertThat(third.offset()).isEqualTo(first.entryBytes());
      Segment segment = segments.all().get(0);
      SegmentScan scan = new SegmentScan(segment, ByteBuffer.allocateDirect(4_096));
      assertThat(scan.next()).isEqualTo(new SegmentScan.Entry(key(1), first));
      assertThat(scan.next()).isEqualTo(new SegmentScan.Entry(key(3), third));
      assertThat(scan.next()).isNull();
    }
  }

  @Test
  void store_openedOnAFullDisk_startsAndWorksOnceThereIsSpace() {
    try (DiskStore store = DiskStore.open(options(directory))) {
      for (long index = 0; index < 50; index++) {
        store.write(key(index), record(index, BODY));
      }
    }
    disk.fill();
    try (DiskStore store = DiskStore.open(options(directory))) {
      assertThat(store.write(key(50), record(50, BODY))).isEqualTo(WriteResult.DISK_FULL);
      disk.free();
      await()
          .atMost(Duration.ofSeconds(30))
          .until(() -> store.write(key(50), record(50, BODY)) == WriteResult.STORED);
      assertAllThere(store, 51);
    }
  }

  private static long fill(DiskStore store) {
    long index = 0;
    WriteResult result = store.write(key(index), record(index, BODY));
    while (result == WriteResult.STORED) {
      index++;
      result = store.write(key(index), record(index, BODY));
    }
    assertThat(result).isEqualTo(WriteResult.DISK_FULL);
    return index;
  }

  private static void assertAllThere(DiskStore store, long records) {
    for (long index = 0; index < records; index++) {
      assertThat(read(store, key(index))).isEqualTo(record(index, BODY));
    }
    assertThat(store.stats().records()).isEqualTo(records);
  }
}
