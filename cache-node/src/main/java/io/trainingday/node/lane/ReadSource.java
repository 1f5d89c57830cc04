package io.trainingday.node.lane;

/** Where samples come from, the nearest source first. */
enum ReadSource {
  /** The memory of a node on this host. */
  LOCAL,
  /** The disk of this node. */
  DISK,
  /** A node on another host. */
  PEER,
  /** The trainer loads them, or another one does. */
  ORIGIN
}
