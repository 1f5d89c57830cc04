package io.trainingday.node.tier;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import io.trainingday.config.DataSize;
import io.trainingday.config.SettingKey;
import io.trainingday.config.Settings;
import io.trainingday.config.Settings.Tier;
import io.trainingday.grid.SampleKey;
import io.trainingday.node.disk.DiskOptions;
import io.trainingday.node.store.RecordSink;
import io.trainingday.node.store.RecordStore;
import io.trainingday.node.store.RecordStore.Kept;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.ConcurrentHashMap;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class TieredStoreTest {
  private static final SampleKey KEY = new SampleKey(1, 2, 3, 4, 0, 5);
  private static final byte[] RECORD = {1, 2, 3};
  private static final byte[] OTHER = {4, 5};

  private final Path directory;
  private final FakeMemory memory = new FakeMemory();
  private final DiskTier disk;
  private final TieredStore hybrid;
  private final TieredStore onDisk;

  TieredStoreTest(@TempDir Path directory) {
    this.directory = directory;
    disk = open();
    hybrid = new TieredStore(memory, Tier.HYBRID, disk);
    onDisk = new TieredStore(memory, Tier.DISK, disk);
  }

  private DiskTier open() {
    Settings settings =
        Settings.builder()
            .set(SettingKey.DISK_PATH, directory)
            .set(SettingKey.DISK_MAX_SIZE, DataSize.ofMiB(64))
            .set(SettingKey.LANE_MAX_RECORD_SIZE, DataSize.ofMiB(4))
            .build();
    return DiskTier.open(settings, DiskOptions.Evictor.none()).orElseThrow();
  }

  @AfterEach
  void close() {
    disk.close();
  }

  @Test
  void open_withoutAPath_isNoTier() {
    assertThat(DiskTier.open(Settings.defaults(), DiskOptions.Evictor.none())).isEmpty();
  }

  @Test
  void hybrid_readsMemoryFirst_thenTheDisk() {
    assertThat(read(hybrid)).isNull();
    assertThat(hybrid.writeToDisk(KEY, OTHER)).isEqualTo(Kept.KEPT);
    assertThat(memory.records).isEmpty();
    assertThat(read(hybrid)).isEqualTo(OTHER);
    assertThat(disk.stats().hits()).isEqualTo(1);
    assertThat(disk.stats().hitBytes()).isEqualTo(OTHER.length);

    hybrid.write(KEY, RECORD);
    assertThat(read(hybrid)).isEqualTo(RECORD);
    assertThat(disk.stats().hits()).isEqualTo(1);
    assertThat(read(onDisk)).isEqualTo(OTHER);
  }

  @Test
  void hybrid_whoseSinkRefusesTheRecordInMemory_isNotOfferedTheOneOnDisk() {
    hybrid.write(KEY, RECORD);
    assertThat(hybrid.writeToDisk(KEY, RECORD)).isEqualTo(Kept.KEPT);
    int[] begun = {0};
    RecordSink refusing =
        new RecordSink() {
          @Override
          public boolean begin(int recordLength) {
            begun[0]++;
            return false;
          }

          @Override
          public void copy(long address, int length) {
            throw new AssertionError("refused");
          }

          @Override
          public void copy(byte[] bytes, int offset, int length) {
            throw new AssertionError("refused");
          }
        };
    assertThat(hybrid.read(KEY, refusing)).isEqualTo(RecordStore.MISS);
    assertThat(begun[0]).isEqualTo(1);
  }

  @Test
  void disk_leavesMemoryAlone() {
    memory.records.put(KEY, OTHER);
    assertThat(onDisk.contains(KEY)).isFalse();
    assertThat(read(onDisk)).isNull();
    assertThat(onDisk.remove(KEY)).isFalse();
    assertThat(memory.records).containsKey(KEY);
    assertThatThrownBy(() -> onDisk.write(KEY, RECORD)).isInstanceOf(IllegalStateException.class);
  }

  @Test
  void remove_takesTheRecordInMemoryFirst_andThatOnDiskOnlyWhenThereIsNone() {
    hybrid.write(KEY, OTHER);
    assertThat(hybrid.writeToDisk(KEY, RECORD)).isEqualTo(Kept.KEPT);

    assertThat(hybrid.remove(KEY)).isTrue();
    assertThat(read(hybrid)).isEqualTo(RECORD);
    assertThat(disk.stats().store().damaged()).isZero();

    assertThat(hybrid.remove(KEY)).isTrue();
    assertThat(hybrid.contains(KEY)).isFalse();
    assertThat(disk.stats().store().damaged()).isEqualTo(1);
    assertThat(hybrid.remove(KEY)).isFalse();
  }

  @Test
  void room_isDeniedForAMomentAfterARefusal_andThenTriedAgain() {
    assertThat(onDisk.roomOnDisk()).isEqualTo(Kept.KEPT);
    byte[] large = new byte[3 << 20];
    long index = 0;
    while (onDisk.writeToDisk(key(index), large) == Kept.KEPT) {
      index++;
    }
    assertThat(onDisk.roomOnDisk()).isEqualTo(Kept.NO_ROOM);
    await().until(() -> onDisk.roomOnDisk() == Kept.KEPT);
    assertThat(onDisk.writeToDisk(key(index), large)).isEqualTo(Kept.NO_ROOM);
    assertThat(onDisk.writeToDisk(key(index), new byte[8 << 20])).isEqualTo(Kept.TOO_LARGE);
  }

  @Test
  void copy_thatIsThereAlready_isNotWrittenAgain() {
    assertThat(onDisk.writeCopyToDisk(KEY, RECORD)).isEqualTo(Kept.KEPT);
    long used = disk.stats().store().usedBytes();
    assertThat(onDisk.writeCopyToDisk(KEY, RECORD)).isEqualTo(Kept.KEPT);
    assertThat(disk.stats().store().usedBytes()).isEqualTo(used);
  }

  @Test
  void records_areThereAgainAfterARestart_andNotAfterTheEnd() {
    assertThat(onDisk.writeToDisk(KEY, RECORD)).isEqualTo(Kept.KEPT);
    disk.close();
    assertThat(read(onDisk)).isNull();
    assertThat(onDisk.writeToDisk(KEY, RECORD)).isEqualTo(Kept.CLOSED);
    try (DiskTier again = open()) {
      assertThat(read(new TieredStore(memory, Tier.DISK, again))).isEqualTo(RECORD);
    }
  }

  @Test
  void nodeWithoutADisk_keepsNothingThere() {
    TieredStore diskless = new TieredStore(memory, Tier.HYBRID, null);
    assertThat(diskless.writeToDisk(KEY, RECORD)).isEqualTo(Kept.CLOSED);
    assertThat(diskless.roomOnDisk()).isEqualTo(Kept.CLOSED);
    diskless.write(KEY, RECORD);
    assertThat(read(diskless)).isEqualTo(RECORD);
  }

  private static SampleKey key(long index) {
    return new SampleKey(1, 2, 3, 4, 0, index);
  }

  private static byte @Nullable [] read(RecordStore store) {
    ArraySink sink = ArraySink.upTo(1 << 20);
    return store.read(KEY, sink) == RecordStore.MISS ? null : sink.bytes();
  }

  /** Records in a map. */
  private static final class FakeMemory implements RecordStore {
    final Map<SampleKey, byte[]> records = new ConcurrentHashMap<>();

    @Override
    public int backups() {
      return 0;
    }

    @Override
    public List<UUID> targets(SampleKey key) {
      return List.of();
    }

    @Override
    public int read(SampleKey key, RecordSink sink) {
      byte[] record = records.get(key);
      if (record == null || !sink.begin(record.length)) {
        return MISS;
      }
      sink.copy(record, 0, record.length);
      return record.length;
    }

    @Override
    public void write(SampleKey key, byte[] record) {
      records.put(key, record);
    }

    @Override
    public boolean contains(SampleKey key) {
      return records.containsKey(key);
    }

    @Override
    public boolean isHeldHere(SampleKey key) {
      return true;
    }

    @Override
    public boolean remove(SampleKey key) {
      return records.remove(key) != null;
    }

    @Override
    public void drain() {
      records.clear();
    }
  }
}
