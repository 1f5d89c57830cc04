package io.trainingday.client;

import io.trainingday.lane.LaneMessage.FillResult;

/** Is told what becomes of each record that was to be kept. Called from any thread. */
interface FillWatch {
  /** Tells nobody. */
  FillWatch NONE =
      new FillWatch() {
        @Override
        public void waits(long index) {}

        @Override
        public void settled(long index, int recordBytes, FillResult result, String reason) {}
      };

  /** The record was not copied there and then: {@link #settled} follows. */
  void waits(long index);

  /**
   * The node has it, or never will.
   *
   * @param result TAKEN or DROPPED
   * @param reason why it was dropped, in one word: the node's, or one of {@link Fills}
   */
  void settled(long index, int recordBytes, FillResult result, String reason);
}
