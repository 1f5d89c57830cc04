package io.trainingday.node.policy;

/** In which order the slots of a {@link VictimIndex} are given up. */
interface Order {
  int NONE = -1;

  /** Makes room for slots below {@code capacity}. */
  void grow(int capacity);

  /** Puts a slot where a record belongs that has just been stored. */
  void addNewest(int slot);

  /** Puts a slot where a record belongs of which nothing is known. */
  void addOldest(int slot);

  /** Notes a read. */
  void touched(int slot);

  /** Takes a slot out. */
  void removed(int slot);

  /** The slot that goes first, or {@link #NONE}; it stays where it is. */
  int victim();

  /** What one slot takes of the heap here. */
  int bytesPerSlot();
}
