package io.trainingday.node.policy;

import io.trainingday.config.Settings.Policy;
import io.trainingday.grid.SampleKey;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * The records that one node may give up of one data set, in the order in which they go.
 *
 * <p>Not thread-safe: whoever owns it guards it. Every operation is O(1) but for growing, for
 * {@link #endPass}, and for the halving of counts in {@code lfu}.
 *
 * <h2>What it costs</h2>
 *
 * No objects, only arrays: 17 bytes a slot (index 8, key space 4, length 4, pass 1), 5 to 11 for
 * the hash table, and what the order takes: 8 for {@code lru}, 9 for {@code lfu}, an eighth for
 * {@code random}. The arrays grow by half, so that up to a third of the slots is empty: 30–48 bytes
 * of heap an entry for {@code lru}, 31–50 for {@code lfu}, 22–37 for {@code random}; while they
 * grow, the former ones are there too. There is a limit, see {@link #isFull}.
 */
public final class VictimIndex {
  /** One that was taken out to be evicted. */
  public record Victim(SampleKey key, int recordBytes) {}

  private static final int FREE = -1;
  private static final int FIRST_CAPACITY = 64;
  private static final int MOST_PER_TABLE = 4; // Of so many places, three are taken at most.

  private final int maxEntries;
  private final SpaceNumbers spaces;
  private final Order order;

  // Slots. Of a free one, the space is FREE and the length is the next free slot.
  private long[] indices = {};
  private int[] spaceOf = {};
  private int[] recordBytes = {};
  private byte[] passOf = {};
  private int firstFree = Order.NONE;
  private int slots;

  /** Slot + 1 by hash, probing linearly; 0 is none. */
  private int[] table = new int[FIRST_CAPACITY * 2];

  private int size;
  private long bytes;
  private byte pass;

  /**
   * @param dataset hash of the data set's name
   * @param policy any but {@code PIN}
   * @param maxEntries that are kept, from 1
   */
  public VictimIndex(long dataset, Policy policy, int maxEntries) {
    this.maxEntries = maxEntries;
    spaces = new SpaceNumbers(dataset);
    order =
        switch (policy) {
          case LRU -> new LruOrder();
          case LFU -> new LfuOrder();
          case RANDOM -> new RandomOrder(dataset);
          case PIN -> throw new IllegalArgumentException("policy=pin evicts nothing");
        };
  }

  public int size() {
    return size;
  }

  /** Bytes of all records that it knows of. */
  public long bytes() {
    return bytes;
  }

  /** Whether it takes no more entries: one has to go before. */
  public boolean isFull() {
    return size >= maxEntries;
  }

  /** About what it takes of the heap. */
  public long heapBytes() {
    return (long) indices.length * (17 + order.bytesPerSlot()) + 4L * table.length;
  }

  /** Notes a record that has just been stored; false when there is no place for it. */
  public boolean stored(SampleKey key, int length) {
    int slot = find(key);
    if (slot != Order.NONE) {
      order.touched(slot);
      passOf[slot] = pass;
      return true;
    }
    if (isFull()) {
      return false;
    }
    order.addNewest(add(key, length));
    return true;
  }

  /** Notes a record that is there; one that was not known may have been there for long. */
  public boolean seen(SampleKey key, int length) {
    int slot = find(key);
    if (slot != Order.NONE) {
      passOf[slot] = pass;
      return true;
    }
    if (isFull()) {
      return false;
    }
    order.addOldest(add(key, length));
    return true;
  }

  /** Notes a read; false when the record is not known. */
  public boolean read(SampleKey key) {
    int slot = find(key);
    if (slot == Order.NONE) {
      return false;
    }
    order.touched(slot);
    return true;
  }

  /** Forgets a record; false when it was not known. */
  public boolean dropped(SampleKey key) {
    int slot = find(key);
    if (slot == Order.NONE) {
      return false;
    }
    remove(slot);
    return true;
  }

  /** Takes out the record that goes first, or null when there is none. */
  public @Nullable Victim takeVictim() {
    int slot = order.victim();
    if (slot == Order.NONE) {
      return null;
    }
    Victim victim = new Victim(spaces.key(spaceOf[slot], indices[slot]), recordBytes[slot]);
    remove(slot);
    return victim;
  }

  /** Begins a walk over all records that are there, each of which will be {@link #seen}. */
  public void beginPass() {
    pass++;
  }

  /** Forgets what was neither seen nor stored since {@link #beginPass}. O(entries). */
  public void endPass() {
    for (int slot = 0; slot < slots; slot++) {
      if (spaceOf[slot] != FREE && passOf[slot] != pass) {
        remove(slot);
      }
    }
  }

  /** Takes over all entries of another one, which is empty afterwards, in its order. */
  public void takeOver(VictimIndex other) {
    for (Victim victim = other.takeVictim();
        victim != null && !isFull();
        victim = other.takeVictim()) {
      boolean unused = stored(victim.key(), victim.recordBytes());
    }
  }

  private int find(SampleKey key) {
    int space = spaces.of(key);
    return space == SpaceNumbers.UNKNOWN ? Order.NONE : find(space, key.index());
  }

  private int find(int space, long index) {
    int mask = table.length - 1;
    for (int at = home(space, index); table[at] != 0; at = (at + 1) & mask) {
      int slot = table[at] - 1;
      if (indices[slot] == index && spaceOf[slot] == space) {
        return slot;
      }
    }
    return Order.NONE;
  }

  private int home(int space, long index) {
    long hash = (index + space * 0x9E3779B97F4A7C15L) * 0xBF58476D1CE4E5B9L;
    return (int) (hash ^ hash >>> 32) & (table.length - 1);
  }

  private int add(SampleKey key, int length) {
    int slot = freeSlot();
    int space = spaces.use(key);
    indices[slot] = key.index();
    spaceOf[slot] = space;
    recordBytes[slot] = length;
    passOf[slot] = pass;
    size++;
    bytes += length;
    if ((long) size * MOST_PER_TABLE > (long) table.length * (MOST_PER_TABLE - 1)) {
      rehash();
    } else {
      enter(slot);
    }
    return slot;
  }

  private int freeSlot() {
    if (firstFree != Order.NONE) {
      int slot = firstFree;
      firstFree = recordBytes[slot];
      return slot;
    }
    if (slots == indices.length) {
      int capacity = Math.max(FIRST_CAPACITY, (int) Math.min(maxEntries, slots + slots / 2L));
      indices = Arrays.copyOf(indices, capacity);
      spaceOf = Arrays.copyOf(spaceOf, capacity);
      recordBytes = Arrays.copyOf(recordBytes, capacity);
      passOf = Arrays.copyOf(passOf, capacity);
      order.grow(capacity);
    }
    return slots++;
  }

  private void rehash() {
    table = new int[2 * table.length];
    for (int slot = 0; slot < slots; slot++) {
      if (spaceOf[slot] != FREE) {
        enter(slot);
      }
    }
  }

  private void enter(int slot) {
    int mask = table.length - 1;
    int at = home(spaceOf[slot], indices[slot]);
    while (table[at] != 0) {
      at = (at + 1) & mask;
    }
    table[at] = slot + 1;
  }

  private void remove(int slot) {
    order.removed(slot);
    leaveTable(slot);
    spaces.leave(spaceOf[slot]);
    size--;
    bytes -= recordBytes[slot];
    spaceOf[slot] = FREE;
    recordBytes[slot] = firstFree;
    firstFree = slot;
  }

  /** Closes the gap that an entry leaves, so that every other one is still found from its home. */
  private void leaveTable(int slot) {
    int mask = table.length - 1;
    int gap = home(spaceOf[slot], indices[slot]);
    while (table[gap] != slot + 1) {
      gap = (gap + 1) & mask;
    }
    for (int at = (gap + 1) & mask; table[at] != 0; at = (at + 1) & mask) {
      int other = table[at] - 1;
      int home = home(spaceOf[other], indices[other]);
      if (((at - home) & mask) >= ((at - gap) & mask)) {
        table[gap] = table[at];
        gap = at;
      }
    }
    table[gap] = 0;
  }
}
