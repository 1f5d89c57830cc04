package io.trainingday.node.disk;

import static io.trainingday.node.disk.TestRecords.key;
import static io.trainingday.node.disk.TestRecords.record;
import static org.assertj.core.api.Assertions.assertThat;

import io.trainingday.node.store.RecordStore;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.stream.LongStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A disk that does not give some of its bytes any more. */
final class UnreadableDiskTest {
  private static final int BODY = 3_000;
  private static final int RECORDS = 1_000;
  private static final int PAGE = 4_096;

  private final Sizes sizes = new Sizes(64L << 20);
  private final Staging staging = new Staging();
  private final Usage usage = new Usage();
  private final Path directory;
  private Records records;

  /** Pages of the first segment's file that cannot be read. */
  private volatile long firstBad;

  private volatile long behindBad;

  UnreadableDiskTest(@TempDir Path directory) {
    this.directory = directory;
  }

  @BeforeEach
  void fill() throws IOException {
    NativeLibrary.load();
    records =
        new Records(
            directory, sizes, new IndexKeys(TestRecords.PARTITIONS), staging, usage, Failing::new);
    records.openIndex();
    for (long index = 0; index < RECORDS; index++) {
      assertThat(records.write(key(index), record(index, BODY)))
          .isEqualTo(DiskStore.WriteResult.STORED);
    }
    assertThat(records.segments().all()).hasSizeGreaterThan(2);
  }

  @AfterEach
  void close() throws IOException {
    records.close();
  }

  @Test
  void deadEntry_unreadable_doesNotKeepItsSegment() throws Exception {
    for (long index = 0; index < 200; index++) {
      records.remove(key(index));
    }
    bad(0, 3 * PAGE);
    long before = records.usedBytes();

    clean();

    assertThat(records.segments().get(1)).isNull();
    assertThat(records.usedBytes()).isLessThan(before - 100 * BODY);
    assertAllThere(200, RECORDS);
    assertThat(usage.damaged.sum()).isZero();
  }

  @Test
  void liveEntry_unreadableBehindItsHeader_isTakenOutAndNoOther() throws Exception {
    for (long index = 0; index < 200; index++) {
      records.remove(key(index));
    }
    // A record that begins before a page, so that its header can be read.
    long inIt = 250;
    while (pageBehind(inIt) >= (inIt + 1) * entryBytes()) {
      inIt++;
    }
    bad(pageBehind(inIt), pageBehind(inIt) + 1);

    clean();

    assertThat(records.segments().get(1)).isNull();
    assertThat(records.contains(key(inIt))).isFalse();
    assertThat(usage.damaged.sum()).isEqualTo(1);
    for (long index = 200; index < RECORDS; index++) {
      if (index != inIt) {
        assertAllThere(index, index + 1);
      }
    }
  }

  @Test
  void unreadable_amongAllTheRest_losesWhatStandsThereAlone() throws Exception {
    long entry = entryBytes();
    long from = 20 * entry / PAGE * PAGE;
    long to = 30 * entry / PAGE * PAGE;
    bad(from, to);
    Segment first = Objects.requireNonNull(records.segments().get(1));
    SegmentScan scan = new SegmentScan(first, ByteBuffer.allocateDirect(Staging.BYTES));

    List<Long> seen = new ArrayList<>();
    for (SegmentScan.Entry one = scan.next(); one != null; one = scan.next()) {
      seen.add(one.key().index());
    }

    List<Long> expected =
        LongStream.range(0, first.size() / entry)
            .filter(index -> index * entry < from || index * entry >= to)
            .boxed()
            .toList();
    assertThat(seen).isEqualTo(expected);
    long firstLost = (from + entry - 1) / entry;
    assertThat(scan.unreadableBytes()).isEqualTo(to - firstLost * entry);
  }

  private static long entryBytes() {
    return EntryHeader.entryBytes(record(0, BODY).length);
  }

  /** The first page that begins in an entry or behind it, and not in its header. */
  private static long pageBehind(long index) {
    return (index * entryBytes() + EntryHeader.LENGTH + PAGE - 1) / PAGE * PAGE;
  }

  private void bad(long from, long to) {
    behindBad = to;
    firstBad = from;
  }

  private void clean() throws IOException {
    Cleaner cleaner =
        new Cleaner(records, sizes, staging, usage, DiskOptions.Evictor.none(), () -> false);
    int steps = 0;
    while (cleaner.step() == Cleaner.Step.DONE) {
      assertThat(++steps).isLessThan(100);
    }
  }

  private void assertAllThere(long from, long to) {
    for (long index = from; index < to; index++) {
      ReadBack sink = new ReadBack();
      assertThat(records.read(key(index), sink)).isNotEqualTo(RecordStore.MISS);
      assertThat(sink.bytes()).isEqualTo(record(index, BODY));
    }
  }

  /** Gives nothing of a read that touches a bad page, as the kernel does. */
  private final class Failing extends Segment {
    Failing(int number, Path file, long size) {
      super(number, file, size);
    }

    @Override
    int readOnce(FileChannel open, ByteBuffer into, long position) throws IOException {
      if (number() == 1 && position < behindBad && position + into.remaining() > firstBad) {
        throw new IOException("Input/output error");
      }
      return super.readOnce(open, into, position);
    }
  }
}
