package io.trainingday.client;

import io.trainingday.record.CollatedLayout;
import io.trainingday.record.RecordLayout;
import org.jspecify.annotations.Nullable;

/**
 * What is known of a data set's records, to ask for shared memory of the right size. Thread-safe.
 */
final class SampleSizes {
  private volatile @Nullable RecordLayout lastLayout;
  private volatile int largestRecord;

  void learn(RecordLayout layout) {
    RecordLayout last = lastLayout;
    if (last == null || last.schemaHash() != layout.schemaHash()) {
      lastLayout = layout;
    }
    learn(layout.recordLength());
  }

  void learn(int recordBytes) {
    if (recordBytes > largestRecord) {
      largestRecord = recordBytes; // A smaller value winning a race is put right by the next one.
    }
  }

  /** The layout of the record seen last if it is of that schema, which saves parsing it again. */
  @Nullable RecordLayout known(long schemaHash) {
    RecordLayout last = lastLayout;
    return last != null && last.schemaHash() == schemaHash ? last : null;
  }

  /** How many bytes a batch will take; 0 while nothing is known. */
  long estimate(ReadShape shape, int count) {
    RecordLayout last = lastLayout;
    if (shape == ReadShape.COLLATED) {
      return last == null ? 0 : CollatedLayout.of(last, count).totalBytes();
    }
    return (long) count
        * (((long) largestRecord + RecordLayout.ALIGNMENT - 1) & -RecordLayout.ALIGNMENT);
  }
}
