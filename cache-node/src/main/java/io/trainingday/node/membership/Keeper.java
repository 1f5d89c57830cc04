package io.trainingday.node.membership;

import java.io.IOException;

/** Keeps where this node stands, so that it knows after a restart. */
@FunctionalInterface
public interface Keeper {
  /** For a node that keeps nothing. */
  Keeper NONE = standing -> {};

  /**
   * Called before this node acts by a standing or tells anyone of it; one call at a time.
   *
   * @throws IOException when it cannot be kept: the node stays where it stood, and asks again
   */
  void keep(Standing standing) throws IOException;
}
