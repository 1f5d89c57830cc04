package io.trainingday.node.capacity;

import io.trainingday.grid.GridCaches;
import io.trainingday.node.ownership.Member;
import io.trainingday.node.store.RecordStores;
import java.util.List;

/**
 * How much a node leaves free for the copies that another node's death costs it. For one thread at
 * a time.
 */
final class Reserve {
  /** Room that evicting has made is taken within that time by the fills it was made for. */
  private static final long TAKEN_NANOS = 400_000_000;

  private final RecordStores stores;
  private final Admission admission;
  private final Shares shares;
  private final long messagePages;
  private long evictedBefore;
  private long lookedAt;

  /**
   * @param messagePages what has to be free while copies arrive
   */
  Reserve(RecordStores stores, Admission admission, Shares shares, long messagePages) {
    this.stores = stores;
    this.admission = admission;
    this.shares = shares;
    this.messagePages = messagePages;
    lookedAt = System.nanoTime() - TAKEN_NANOS;
  }

  /** Sets it to what it is to be in a grid of so many nodes, as far as that is free. */
  void look(List<Member> members) {
    boolean anyCopies = false;
    double share = 0;
    // From most to fewest: what has fewer backups has more to rebuild.
    for (int backups = GridCaches.MAX_BACKUPS; backups > 0; backups--) {
      boolean held = holds(backups);
      anyCopies |= held;
      if (held || (backups == 1 && !anyCopies)) {
        share = Math.max(share, share(members, backups));
      }
    }
    admission.grid(share, messagePages, anyCopies);

    long now = System.nanoTime();
    long evicted = shares.evictedBytes();
    if (evicted == evictedBefore || now - lookedAt >= TAKEN_NANOS) {
      admission.reserveFree(admission.pagesOf(evicted - evictedBefore) + Evictor.CUSHION_PAGES);
      evictedBefore = evicted;
      lookedAt = now;
    }
  }

  /**
   * Of a node's budget. When one of N equal nodes dies, the others take over an Nth. A larger one
   * holds no more than one copy of everything. And where every node holds everything already,
   * nothing is to be rebuilt.
   */
  private static double share(List<Member> members, int backups) {
    long budgets = members.stream().mapToLong(Member::budgetBytes).sum();
    if (members.size() <= backups + 1 || budgets == 0) {
      return 0;
    }
    long largest = members.stream().mapToLong(Member::budgetBytes).max().orElse(0);
    return Math.min((double) largest / budgets, 1.0 / (backups + 1));
  }

  private boolean holds(int backups) {
    return stores.wholePartitions(backups).stream()
        .anyMatch(partition -> stores.records(backups, partition) > 0);
  }
}
