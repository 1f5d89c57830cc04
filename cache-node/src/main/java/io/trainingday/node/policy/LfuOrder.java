package io.trainingday.node.policy;

import java.util.Arrays;

/**
 * The slot read least often goes first, of several the one that came to that number first.
 *
 * <p>Reads are counted while a record is held, up to 255, and all counts are halved after ten reads
 * a slot: what was popular once makes room in the end. Halving takes some nanoseconds a slot, all
 * at once.
 */
final class LfuOrder implements Order {
  private static final int MOST = 255;
  private static final int READS_PER_SLOT = 10;

  private final Chain chain = new Chain(MOST + 1);
  private byte[] counts = {};
  private int slots;
  private long readsSinceHalved;

  @Override
  public void grow(int capacity) {
    chain.grow(capacity);
    counts = Arrays.copyOf(counts, capacity);
  }

  @Override
  public void addNewest(int slot) {
    slots++;
    counts[slot] = 1;
    chain.addLast(1, slot);
  }

  @Override
  public void addOldest(int slot) {
    slots++;
    counts[slot] = 1;
    chain.addFirst(1, slot);
  }

  @Override
  public void touched(int slot) {
    int count = counts[slot] & MOST;
    int next = Math.min(count + 1, MOST);
    chain.remove(count, slot);
    counts[slot] = (byte) next;
    chain.addLast(next, slot);
    if (++readsSinceHalved >= (long) READS_PER_SLOT * slots) {
      halve();
    }
  }

  private void halve() {
    readsSinceHalved = 0;
    for (int count = 2; count <= MOST; count++) {
      int half = count / 2;
      for (int slot = chain.first(count); slot != NONE; slot = chain.after(slot)) {
        counts[slot] = (byte) half;
      }
      chain.append(half, count);
    }
  }

  @Override
  public void removed(int slot) {
    slots--;
    chain.remove(counts[slot] & MOST, slot);
  }

  @Override
  public int victim() {
    for (int count = 1; count <= MOST; count++) {
      if (chain.first(count) != NONE) {
        return chain.first(count);
      }
    }
    return NONE;
  }

  @Override
  public int bytesPerSlot() {
    return Chain.BYTES_PER_SLOT + 1;
  }
}
