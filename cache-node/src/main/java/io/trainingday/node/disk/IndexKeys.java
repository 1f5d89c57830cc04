package io.trainingday.node.disk;

import io.trainingday.grid.BoundedLoadAffinity;
import io.trainingday.grid.SampleKey;
import java.nio.ByteBuffer;
import java.util.Arrays;

/**
 * Keys as the index has them: 46 bytes, big-endian, what records have most often in common first.
 *
 * <pre>
 * 0         8             16         24              32          34        38       46
 * +---------+-------------+----------+---------------+-----------+---------+--------+
 * | dataset | incarnation | pipeline | sampleVersion | partition | variant | index  |
 * +---------+-------------+----------+---------------+-----------+---------+--------+
 * </pre>
 *
 * A partition is in as many places as there are versions; those are skipped to.
 */
final class IndexKeys {
  static final int LENGTH = 46;

  /** Everything before the partition. */
  static final int GROUP_LENGTH = 32;

  private final int partitions;

  IndexKeys(int partitions) {
    this.partitions = partitions;
  }

  byte[] encode(SampleKey key) {
    return ByteBuffer.allocate(LENGTH)
        .putLong(key.dataset())
        .putLong(key.incarnation())
        .putLong(key.pipeline())
        .putLong(key.sampleVersion())
        .putShort((short) BoundedLoadAffinity.partition(key.index(), partitions))
        .putInt(key.variant())
        .putLong(key.index())
        .array();
  }

  static SampleKey decode(byte[] key) {
    ByteBuffer in = ByteBuffer.wrap(key);
    long dataset = in.getLong();
    long incarnation = in.getLong();
    long pipeline = in.getLong();
    long version = in.getLong();
    in.getShort();
    return new SampleKey(dataset, incarnation, pipeline, version, in.getInt(), in.getLong());
  }

  /** Where a partition starts among the keys that share what comes before it with {@code key}. */
  static byte[] startOfPartition(byte[] key, int partition) {
    byte[] start = Arrays.copyOf(key, GROUP_LENGTH + Short.BYTES);
    ByteBuffer.wrap(start).putShort(GROUP_LENGTH, (short) partition);
    return start;
  }

  /** Where the keys begin that share less than that with {@code key}; empty when none can. */
  static byte[] afterGroup(byte[] key) {
    return after(Arrays.copyOf(key, GROUP_LENGTH));
  }

  /** The first key behind all that start with {@code prefix}; empty when there can be none. */
  static byte[] after(byte[] prefix) {
    int last = prefix.length - 1;
    while (last >= 0 && prefix[last] == (byte) 0xFF) {
      last--;
    }
    byte[] after = Arrays.copyOf(prefix, last + 1);
    if (last >= 0) {
      after[last]++;
    }
    return after;
  }

  /** The first key that can come behind {@code key}. */
  static byte[] behind(byte[] key) {
    return Arrays.copyOf(key, key.length + 1);
  }
}
