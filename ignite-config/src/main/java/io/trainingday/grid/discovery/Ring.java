package io.trainingday.grid.discovery;

import java.util.Comparator;
import java.util.UUID;

/**
 * What all nodes of a ring say of it. Where two meet, the one that sorts first stays: the larger,
 * then the older.
 *
 * @param nodes how many servers it has
 * @param startMillis when it was founded, by its founder's clock
 * @param coordinatorOrder when its oldest node joined: tells the halves of a split ring apart
 */
record Ring(int nodes, long startMillis, long coordinatorOrder, UUID coordinator)
    implements Comparable<Ring> {
  private static final Comparator<Ring> ORDER =
      Comparator.comparingInt(Ring::nodes)
          .reversed()
          .thenComparingLong(Ring::startMillis)
          .thenComparingLong(Ring::coordinatorOrder)
          .thenComparing(Ring::coordinator);

  @Override
  public int compareTo(Ring other) {
    return ORDER.compare(this, other);
  }

  @Override
  public String toString() {
    return "a grid of %d node%s".formatted(nodes, nodes == 1 ? "" : "s");
  }
}
