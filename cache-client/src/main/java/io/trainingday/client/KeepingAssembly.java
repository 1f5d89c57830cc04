package io.trainingday.client;

import io.trainingday.lane.LaneMemory;
import java.util.ArrayList;
import java.util.List;

/** A batch in the making that refers to records in all the memory it was given. */
abstract class KeepingAssembly extends Assembly {
  // Guarded by this.
  private final List<BatchMemory> memories = new ArrayList<>();

  KeepingAssembly(long[] indices, LaneMemory pool, SampleSizes sizes) {
    super(indices, pool, sizes);
  }

  @Override
  final boolean keepsRecords() {
    return true;
  }

  @Override
  final synchronized void keep(BatchMemory memory) {
    memories.add(memory);
  }

  @Override
  final synchronized void release() {
    memories.forEach(BatchMemory::release);
    memories.clear();
  }

  /** All of it, for the batch to give back. */
  final synchronized List<BatchMemory> handOver() {
    List<BatchMemory> given = List.copyOf(memories);
    memories.clear();
    return given;
  }
}
