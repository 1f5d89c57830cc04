package io.trainingday.node.disk;

import io.trainingday.config.DataSize;
import io.trainingday.grid.SampleKey;
import io.trainingday.node.store.RecordStore;
import io.trainingday.record.DType;
import io.trainingday.record.RecordChecksum;
import io.trainingday.record.RecordCodec;
import io.trainingday.record.SampleRecord;
import java.io.File;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.SplittableRandom;
import org.jspecify.annotations.Nullable;

/** Keys and records whose every byte follows from the index, and what is asked of a store. */
final class TestRecords {
  static final int PARTITIONS = 64;

  private TestRecords() {}

  static DiskOptions options(Path directory, long mebibytes, DiskOptions.Evictor evictor) {
    return new DiskOptions(directory, DataSize.ofMiB(mebibytes), "test", PARTITIONS, evictor);
  }

  static DiskOptions options(Path directory) {
    return options(directory, 64, DiskOptions.Evictor.none());
  }

  static SampleKey key(long index) {
    return new SampleKey(1, 2, 3, 4, 0, index);
  }

  /** As a codec writes it, with a checksum, and with bytes that no other index has. */
  static byte[] record(long index, int bodyBytes) {
    byte[] body = new byte[bodyBytes];
    new SplittableRandom(index).nextBytes(body);
    return RecordCodec.create()
        .encode(
            SampleRecord.builder()
                .tensor("x", DType.U8, new long[] {bodyBytes}, ByteBuffer.wrap(body))
                .createdMillis(1)
                .build());
  }

  static boolean isSound(byte[] record) {
    return new RecordChecksum().matches(ByteBuffer.wrap(record), 0, record.length);
  }

  /** What the store delivers, null for a miss. */
  static byte @Nullable [] read(DiskStore store, SampleKey key) {
    ReadBack sink = new ReadBack();
    int length = store.read(key, sink);
    if (length == RecordStore.MISS) {
      return null;
    }
    if (length != sink.bytes().length) {
      throw new AssertionError(length + " announced, delivered " + sink.bytes().length);
    }
    return sink.bytes();
  }

  /** The lengths of all files, as they are now; files may go meanwhile. */
  static long bytesOf(Path directory) {
    long bytes = 0;
    File[] files = directory.toFile().listFiles();
    for (File file : files == null ? new File[0] : files) {
      bytes += file.isDirectory() ? bytesOf(file.toPath()) : file.length();
    }
    return bytes;
  }
}
