package io.trainingday.node.capacity;

/**
 * What a node says to another one on which it stores copies. Pages, counted up since the two met.
 *
 * @param settled of those it was allowed, how many it needs no more: the write is over, or it gave
 *     them up
 * @param wanted how many it would like to have been allowed in all; no more than before if 0
 * @param evicts whether older records may be given up for them
 * @param entitled whether they are for a data set that has less than it was guaranteed
 */
record RoomQuestion(long settled, long wanted, boolean evicts, boolean entitled) {
  private static final long EVICTS = 1;
  private static final long ENTITLED = 2;

  RoomQuestion(long settled, long wanted) {
    this(settled, wanted, false, false);
  }

  static RoomQuestion of(long settled, long wanted, long flags) {
    return new RoomQuestion(settled, wanted, (flags & EVICTS) != 0, (flags & ENTITLED) != 0);
  }

  long flags() {
    return (evicts ? EVICTS : 0) | (entitled ? ENTITLED : 0);
  }
}
