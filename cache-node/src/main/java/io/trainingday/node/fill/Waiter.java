package io.trainingday.node.fill;

/** Told the end of a wait. */
@FunctionalInterface
public interface Waiter {
  /**
   * Called exactly once, unless the wait is cancelled before or its holder is closed: with the
   * record; or with {@link MissAnswer.Kind#GRANTED} when the former holder failed and this waiter
   * is the one that loads now; or with {@link MissAnswer.Kind#REFUSED}.
   */
  void answered(MissAnswer answer);
}
