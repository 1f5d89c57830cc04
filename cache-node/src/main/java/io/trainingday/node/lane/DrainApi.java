package io.trainingday.node.lane;

/** Has this node hand over what it holds. */
@FunctionalInterface
public interface DrainApi {
  /**
   * Returns when what can be handed over has been, or the time for it is over.
   *
   * @param stop whether the node stops then; else it stays, without serving trainers
   * @return what was handed over and what not, as one JSON object
   */
  String drain(boolean stop);
}
