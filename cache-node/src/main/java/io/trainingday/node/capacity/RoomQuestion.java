package io.trainingday.node.capacity;

/**
 * What a node says to another one on which it stores copies. Pages, counted up since the two met.
 *
 * @param settled of those it was allowed, how many it needs no more: the write is over, or it gave
 *     them up
 * @param wanted how many it would like to have been allowed in all; no more than before if 0
 */
record RoomQuestion(long settled, long wanted) {}
