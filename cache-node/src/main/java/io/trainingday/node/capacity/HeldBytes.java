package io.trainingday.node.capacity;

/**
 * How much one node holds of one data set, by partition: counted with each record that is written
 * or dropped, and set right whenever a partition has been walked through meanwhile unchanged.
 * Guarded by its owner.
 */
final class HeldBytes {
  private final long[] bytes;
  private final int[] records;
  private final int[] changes;

  // Of the walk through one partition.
  private int walked = -1;
  private int changesBefore;
  private long walkedBytes;
  private int walkedRecords;

  private long totalBytes;
  private long totalRecords;

  HeldBytes(int partitions) {
    bytes = new long[partitions];
    records = new int[partitions];
    changes = new int[partitions];
  }

  long bytes() {
    return totalBytes;
  }

  long records() {
    return totalRecords;
  }

  void add(int partition, int recordBytes) {
    changes[partition]++;
    set(partition, bytes[partition] + recordBytes, records[partition] + 1);
  }

  void remove(int partition, int recordBytes) {
    changes[partition]++;
    // It may have come with a partition that has not been counted yet.
    set(
        partition,
        Math.max(0, bytes[partition] - recordBytes),
        Math.max(0, records[partition] - 1));
  }

  void beginWalk(int partition) {
    walked = partition;
    changesBefore = changes[partition];
    walkedBytes = 0;
    walkedRecords = 0;
  }

  void walk(int recordBytes) {
    walkedBytes += recordBytes;
    walkedRecords++;
  }

  void endWalk() {
    if (walked >= 0 && changes[walked] == changesBefore) {
      set(walked, walkedBytes, walkedRecords);
    }
    walked = -1;
  }

  /** Says that nothing is held of a partition. */
  void clear(int partition) {
    if (records[partition] != 0) {
      set(partition, 0, 0);
    }
  }

  private void set(int partition, long newBytes, int newRecords) {
    totalBytes += newBytes - bytes[partition];
    totalRecords += newRecords - records[partition];
    bytes[partition] = newBytes;
    records[partition] = newRecords;
  }
}
