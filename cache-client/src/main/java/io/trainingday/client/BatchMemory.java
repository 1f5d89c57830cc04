package io.trainingday.client;

import io.trainingday.lane.LaneMemory;
import java.nio.ByteBuffer;

/** Memory that a batch lives in: a slot shared with the node, or the client's own. */
interface BatchMemory {
  /** Little-endian, starts at a multiple of 64. */
  ByteBuffer buffer();

  /** Gives it back, once. */
  void release();

  /** Memory of the client's own. */
  static BatchMemory of(LaneMemory.Block block) {
    return new BatchMemory() {
      @Override
      public ByteBuffer buffer() {
        return block.buffer();
      }

      @Override
      public void release() {
        block.close();
      }
    };
  }
}
