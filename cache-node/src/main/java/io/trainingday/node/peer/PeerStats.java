package io.trainingday.node.peer;

/**
 * What the peer lane has done on this node's side since its start.
 *
 * @param broken connections that could not be made or broke
 * @param lateLeases leases that came when nobody waited for them any more, and were released
 */
public record PeerStats(long broken, long lateLeases) {}
