package io.trainingday.node.membership;

/**
 * What a change passes before it is called done: behind it, no node can serve what was before the
 * change.
 */
public interface Fence {
  /**
   * Refuses a change that could not pass, before anything is changed.
   *
   * @throws FenceException when this node has no majority, or stops
   */
  void requireMajority();

  /**
   * Returns when every node that may serve has confirmed the change, and every other node's serving
   * lease has run out. A few messages on a healthy grid; after a node failed, up to one serving
   * lease.
   *
   * @param deadlineNanos of {@link System#nanoTime}
   * @throws FenceException when it cannot be had; the change may be seen by some or all
   */
  void pass(Change change, long deadlineNanos);

  /** For a grid of one node. */
  static Fence open() {
    return new Fence() {
      @Override
      public void requireMajority() {}

      @Override
      public void pass(Change change, long deadlineNanos) {}
    };
  }
}
