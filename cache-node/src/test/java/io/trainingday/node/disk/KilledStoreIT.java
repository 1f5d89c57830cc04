package io.trainingday.node.disk;

import static io.trainingday.node.disk.TestRecords.isSound;
import static io.trainingday.node.disk.TestRecords.key;
import static io.trainingday.node.disk.TestRecords.options;
import static io.trainingday.node.disk.TestRecords.read;
import static io.trainingday.node.disk.TestRecords.record;
import static org.assertj.core.api.Assertions.assertThat;

import io.trainingday.node.ChildJvm;
import io.trainingday.node.disk.DiskStore.WriteResult;
import java.nio.file.Path;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A process that writes is killed for real, over and over, on the same directory. */
final class KilledStoreIT {
  private static final int ROUNDS = 5;
  private static final int BODY = 40_000;
  private static final int MOST_BEFORE_KILL = 400;

  @Test
  void kill_whileWriting_losesNoAcknowledgedRecordAndLeavesNoWrongOne(@TempDir Path parent)
      throws Exception {
    Path directory = parent.resolve("disk");
    SplittableRandom random = new SplittableRandom(5);
    long acknowledged = 0;
    for (int round = 0; round < ROUNDS; round++) {
      try (ChildJvm child =
          new ChildJvm(ChildJvm.NODE_ARGUMENTS, Writer.class, directory, acknowledged)) {
        long last = acknowledged + 1 + random.nextInt(MOST_BEFORE_KILL);
        while (acknowledged < last) {
          acknowledged = Long.parseLong(child.hear()) + 1;
        }
        child.kill();
      }
      try (DiskStore store = DiskStore.open(roomy(directory))) {
        for (long index = 0; index < acknowledged; index++) {
          assertThat(read(store, key(index))).isEqualTo(record(index, BODY));
        }
        // What was written and not acknowledged is whole, or not there.
        store.forEachKey(
            (key, bytes) -> {
              assertThat(read(store, key)).isEqualTo(record(key.index(), BODY));
              return true;
            });
        assertThat(isSound(record(0, BODY))).isTrue();
        assertThat(store.stats().damaged()).isZero();
      }
    }
  }

  /** The writer is ahead of what is heard of it. */
  private static DiskOptions roomy(Path directory) {
    return options(directory, 4_096, DiskOptions.Evictor.none());
  }

  /** Writes records from a number on, saying each once it is acknowledged. */
  static final class Writer {
    private Writer() {}

    public static void main(String[] arguments) {
      DiskStore store = DiskStore.open(roomy(Path.of(arguments[0])));
      for (long index = Long.parseLong(arguments[1]); ; index++) {
        if (store.write(key(index), record(index, BODY)) != WriteResult.STORED) {
          throw new AssertionError("record %d was not stored".formatted(index));
        }
        ChildJvm.say(Long.toString(index));
      }
    }
  }
}
