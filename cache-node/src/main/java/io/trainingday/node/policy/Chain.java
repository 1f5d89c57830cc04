package io.trainingday.node.policy;

import java.util.Arrays;

/** Doubly linked lists of slots in two arrays; a slot is in at most one of them. */
final class Chain {
  static final int BYTES_PER_SLOT = 2 * Integer.BYTES;

  private final int[] first;
  private final int[] last;
  private int[] before = {};
  private int[] after = {};

  Chain(int lists) {
    first = new int[lists];
    last = new int[lists];
    Arrays.fill(first, Order.NONE);
    Arrays.fill(last, Order.NONE);
  }

  void grow(int capacity) {
    before = Arrays.copyOf(before, capacity);
    after = Arrays.copyOf(after, capacity);
  }

  int first(int list) {
    return first[list];
  }

  int after(int slot) {
    return after[slot];
  }

  void addLast(int list, int slot) {
    before[slot] = last[list];
    after[slot] = Order.NONE;
    if (last[list] == Order.NONE) {
      first[list] = slot;
    } else {
      after[last[list]] = slot;
    }
    last[list] = slot;
  }

  void addFirst(int list, int slot) {
    before[slot] = Order.NONE;
    after[slot] = first[list];
    if (first[list] == Order.NONE) {
      last[list] = slot;
    } else {
      before[first[list]] = slot;
    }
    first[list] = slot;
  }

  void remove(int list, int slot) {
    if (before[slot] == Order.NONE) {
      first[list] = after[slot];
    } else {
      after[before[slot]] = after[slot];
    }
    if (after[slot] == Order.NONE) {
      last[list] = before[slot];
    } else {
      before[after[slot]] = before[slot];
    }
  }

  /** Moves all of one list behind the other one. */
  void append(int to, int from) {
    if (first[from] == Order.NONE) {
      return;
    }
    if (first[to] == Order.NONE) {
      first[to] = first[from];
    } else {
      after[last[to]] = first[from];
      before[first[from]] = last[to];
    }
    last[to] = last[from];
    first[from] = Order.NONE;
    last[from] = Order.NONE;
  }
}
