package io.trainingday.node.policy;

import java.util.BitSet;
import java.util.SplittableRandom;

/** Any slot goes first, each as likely as any other. */
final class RandomOrder implements Order {
  private static final int TRIES = 64;

  private final SplittableRandom random;
  private final BitSet slots = new BitSet();
  private int end;

  RandomOrder(long seed) {
    random = new SplittableRandom(seed);
  }

  @Override
  public void grow(int capacity) {}

  @Override
  public void addNewest(int slot) {
    slots.set(slot);
    end = Math.max(end, slot + 1);
  }

  @Override
  public void addOldest(int slot) {
    addNewest(slot);
  }

  @Override
  public void touched(int slot) {}

  @Override
  public void removed(int slot) {
    slots.clear(slot);
  }

  @Override
  public int victim() {
    if (end == 0) {
      return NONE;
    }
    for (int i = 0; i < TRIES; i++) {
      int slot = random.nextInt(end);
      if (slots.get(slot)) {
        return slot;
      }
    }
    // Few are left of many: no longer each as likely, but one in the end.
    int slot = slots.nextSetBit(random.nextInt(end));
    return slot >= 0 ? slot : slots.nextSetBit(0);
  }

  @Override
  public int bytesPerSlot() {
    return 1;
  }
}
