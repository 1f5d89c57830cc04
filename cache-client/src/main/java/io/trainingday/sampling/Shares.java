package io.trainingday.sampling;

/** How a window is shared out: what each step has, and which rank gets which sample. Immutable. */
interface Shares {
  long steps();

  /** Samples of all ranks in a step. */
  int size(long step);

  int count(long step, int rank);

  /** What a rank reads in a step. */
  long[] indices(long step, int rank);

  /** What to read where a rank has nothing in a step. */
  long standIn(long step, int rank);

  /** All that is read in a step. */
  long[] all(long step);

  /** What is consumed after so many steps, before the end. */
  long consumed(long steps);

  double predictedLocalShare();
}
