package io.trainingday.client;

import java.util.BitSet;
import java.util.Iterator;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/**
 * Which samples a warm-up is to look at, in which order: those of the given order first, then all
 * others from the first to the last. Each is handed out once; those whose partition is not ours are
 * passed over, and come when it is ours later. Takes a bit of memory a sample. Not thread-safe.
 */
final class WarmShare {
  static final long NONE = -1;
  private static final int BITS = 6;

  private final long length;
  private final @Nullable Iterator<Long> order;
  private final long[] handedOut;

  /** By partition; there is one, of all samples, where placement does not matter. */
  private long[] left = new long[0];

  private BitSet ours = new BitSet();
  private boolean gained;
  private long next;

  WarmShare(long length, @Nullable Iterator<Long> order) {
    this.length = length;
    this.order = order;
    handedOut = new long[Math.toIntExact((length + (1 << BITS) - 1) >> BITS)];
  }

  /** All samples are ours. */
  void takeAll() {
    take(1, IntStream.of(0));
  }

  /**
   * The samples are ours whose partition has its primary on the host of the node that was asked.
   */
  void take(Ownership ownership) {
    int partitions = ownership.partitions();
    if (partitions == 0) {
      takeAll();
      return;
    }
    String host =
        ownership.nodes().stream()
            .filter(Ownership.Node::local)
            .map(Ownership.Node::hostId)
            .findFirst()
            .orElse("");
    take(
        partitions,
        IntStream.range(0, partitions).filter(p -> ownership.primary(p).hostId().equals(host)));
  }

  private void take(int partitions, IntStream own) {
    if (left.length != partitions) {
      left = new long[partitions];
      ours = new BitSet();
      for (long index = 0; index < length; index++) {
        left[Ownership.partitionOf(index, partitions)] += isHandedOut(index) ? 0 : 1;
      }
    }
    BitSet now = new BitSet(partitions);
    own.forEach(now::set);
    BitSet fresh = (BitSet) now.clone();
    fresh.andNot(ours);
    gained |= !fresh.isEmpty();
    ours = now;
  }

  /**
   * The next sample of ours; {@link #NONE} when there is none left.
   *
   * @throws IllegalArgumentException if the order gives an index that is none
   */
  long next() {
    while (order != null && order.hasNext()) {
      long index = order.next();
      if (index < 0 || index >= length) {
        throw new IllegalArgumentException(
            "order has index=%d, allowed: 0–%d".formatted(index, length - 1));
      }
      if (isWanted(index)) {
        return handOut(index);
      }
    }
    while (true) {
      for (; next < length; next++) {
        if (isWanted(next)) {
          return handOut(next);
        }
      }
      if (!gained) {
        return NONE;
      }
      gained = false; // What became ours behind us is ahead again.
      next = 0;
    }
  }

  /** How many are still to be handed out, as things are. */
  long remaining() {
    return ours.stream().mapToLong(partition -> left[partition]).sum();
  }

  private long handOut(long index) {
    handedOut[(int) (index >> BITS)] |= 1L << index;
    left[Ownership.partitionOf(index, left.length)]--;
    return index;
  }

  private boolean isWanted(long index) {
    return !isHandedOut(index) && ours.get(Ownership.partitionOf(index, left.length));
  }

  private boolean isHandedOut(long index) {
    return (handedOut[(int) (index >> BITS)] & 1L << index) != 0;
  }
}
