package io.trainingday.node.capacity;

import io.trainingday.grid.GridCaches;
import io.trainingday.node.ownership.Member;
import io.trainingday.node.ownership.Ownership;
import io.trainingday.node.store.RecordStores;
import io.trainingday.node.store.RecordStores.Held;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;
import java.util.Set;
import java.util.UUID;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * Tells the data sets' shares which partitions are this node's to decide about, as nodes come and
 * go. For one thread at a time.
 */
final class OwnPartitions {
  private final RecordStores stores;
  private final Ownership ownership;
  private final Shares shares;
  private List<BitSet> primariesSeen = List.of();
  private Set<UUID> membersSeen = Set.of();

  OwnPartitions(RecordStores stores, Ownership ownership, Shares shares) {
    this.stores = stores;
    this.ownership = ownership;
    this.shares = shares;
  }

  /** Looks, and returns whether partitions or members have changed since the last time. */
  boolean look(List<Member> members) {
    List<BitSet> primaries = primaries();
    for (int backups = 0; backups < primaries.size(); backups++) {
      BitSet here = primaries.get(backups);
      shares.placed(
          backups, here, arrivingPrimaries(backups), copies(backups, members.size(), here));
    }
    Set<UUID> present = members.stream().map(Member::id).collect(Collectors.toSet());
    boolean changed = !primaries.equals(primariesSeen) || !present.equals(membersSeen);
    primariesSeen = primaries;
    membersSeen = present;
    return changed;
  }

  private List<BitSet> primaries() {
    List<BitSet> primaries = new ArrayList<>();
    for (int backups = 0; backups <= GridCaches.MAX_BACKUPS; backups++) {
      BitSet here = new BitSet(stores.partitions());
      stores.partitions(backups, Held.PRIMARY).forEach(here::set);
      primaries.add(here);
    }
    return primaries;
  }

  /** Those that arrive, and those that have arrived and are not handed over yet. */
  private BitSet arrivingPrimaries(int backups) {
    BitSet arriving = new BitSet(stores.partitions());
    Stream.of(Held.ARRIVING, Held.BACKUP)
        .flatMap(held -> stores.partitions(backups, held).stream())
        .filter(partition -> stores.isPrimaryInTheEnd(backups, partition))
        .forEach(arriving::set);
    return arriving;
  }

  /**
   * On how many nodes the records are that this node decides about. More than before only when they
   * have arrived there, and this one has handed over what others are to decide about.
   */
  private int copies(int backups, int members, BitSet primaries) {
    int before = shares.copies(backups);
    int wanted = Math.min(1 + backups, members);
    boolean settled =
        primaries.stream()
            .allMatch(
                partition ->
                    ownership.table(backups).copies(partition).size() >= wanted
                        && stores.isPrimaryInTheEnd(backups, partition));
    return settled ? wanted : Math.min(before, wanted);
  }
}
