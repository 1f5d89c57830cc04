package io.trainingday.node.versions;

import java.util.ArrayList;
import java.util.List;
import org.roaringbitmap.longlong.Roaring64NavigableMap;

/**
 * The versions of the samples that changed one by one, immutable.
 *
 * <p>The sets are disjoint: an index is only in the set of the newest publish that changed it. That
 * keeps them small, and lets one look at their union answer for the many samples that never
 * changed. Any number of threads may read.
 */
final class ChangedSets {
  /** The samples of one {@link SampleVersion}. */
  record ChangedSet(long version, Roaring64NavigableMap indices) {}

  static final ChangedSets NONE = new ChangedSets(List.of());

  private final List<ChangedSet> newestFirst;
  private final Roaring64NavigableMap union;

  private ChangedSets(List<ChangedSet> newestFirst) {
    this.newestFirst = List.copyOf(newestFirst);
    this.union = new Roaring64NavigableMap();
    newestFirst.forEach(set -> union.or(set.indices));
  }

  /**
   * @param newestFirst disjoint, none empty, never changed afterwards
   */
  static ChangedSets of(List<ChangedSet> newestFirst) {
    return newestFirst.isEmpty() ? NONE : new ChangedSets(newestFirst);
  }

  List<ChangedSet> newestFirst() {
    return newestFirst;
  }

  /** The version of {@code index}, or {@code floor}. O(1) if it did not change by itself. */
  long version(long index, long floor) {
    if (newestFirst.isEmpty() || !union.contains(index)) {
      return floor;
    }
    for (ChangedSet set : newestFirst) {
      if (set.indices.contains(index)) {
        return set.version;
      }
    }
    return floor;
  }

  /**
   * These sets and a newer one. With more than {@code maxSets}, neighbours are merged under the
   * newer one's version: the samples of the older one get a version that no record has yet, so they
   * are loaded again, and no older record of them can be read. The cheapest older one goes.
   *
   * @param version larger than all before
   * @param changed not empty, never changed afterwards
   */
  ChangedSets with(long version, Roaring64NavigableMap changed, int maxSets) {
    List<ChangedSet> next = new ArrayList<>(newestFirst.size() + 1);
    next.add(new ChangedSet(version, changed));
    for (ChangedSet old : newestFirst) {
      Roaring64NavigableMap rest = copy(old.indices);
      rest.andNot(changed);
      if (!rest.isEmpty()) {
        next.add(new ChangedSet(old.version, rest));
      }
    }
    while (next.size() > maxSets) {
      mergeCheapest(next);
    }
    return new ChangedSets(next);
  }

  private static void mergeCheapest(List<ChangedSet> sets) {
    int cheapest = 1;
    for (int i = 2; i < sets.size(); i++) {
      if (sets.get(i).indices.getLongCardinality()
          < sets.get(cheapest).indices.getLongCardinality()) {
        cheapest = i;
      }
    }
    ChangedSet older = sets.remove(cheapest);
    ChangedSet newer = sets.get(cheapest - 1);
    Roaring64NavigableMap merged = copy(newer.indices);
    merged.or(older.indices);
    merged.runOptimize();
    sets.set(cheapest - 1, new ChangedSet(newer.version, merged));
  }

  private static Roaring64NavigableMap copy(Roaring64NavigableMap indices) {
    Roaring64NavigableMap copy = new Roaring64NavigableMap();
    copy.or(indices);
    return copy;
  }
}
