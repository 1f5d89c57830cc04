package io.trainingday.node.policy;

/** The slot read or stored longest ago goes first: exactly, not about. */
final class LruOrder implements Order {
  private final Chain chain = new Chain(1);

  @Override
  public void grow(int capacity) {
    chain.grow(capacity);
  }

  @Override
  public void addNewest(int slot) {
    chain.addLast(0, slot);
  }

  @Override
  public void addOldest(int slot) {
    chain.addFirst(0, slot);
  }

  @Override
  public void touched(int slot) {
    chain.remove(0, slot);
    chain.addLast(0, slot);
  }

  @Override
  public void removed(int slot) {
    chain.remove(0, slot);
  }

  @Override
  public int victim() {
    return chain.first(0);
  }

  @Override
  public int bytesPerSlot() {
    return Chain.BYTES_PER_SLOT;
  }
}
