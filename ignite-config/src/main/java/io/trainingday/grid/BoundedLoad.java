package io.trainingday.grid;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.Deque;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/**
 * Places the copies of every partition on nodes: bounded-load rendezvous. It changes as little of
 * what is there as it can. Equal input gives equal output, on any machine.
 *
 * <h2>Primaries</h2>
 *
 * Each node is primary for its {@linkplain Shares share} of the partitions. A node with more than
 * that gives away the partitions that score highest on a node with less; those, and the partitions
 * whose primary is gone, go to the node with less than its share on which they score highest.
 * Backups play no part in it, so that primaries are the same for any number of backups.
 *
 * <h2>Backups</h2>
 *
 * All copies on a node together, its primaries among them, are its share of all copies. A backup
 * stays where it is unless its node has more than its share. A new one goes to a node with less, on
 * another host and in another zone than the partition's other copies if there is one. At the end,
 * backups change places as long as that takes copies of one partition apart that share a host or a
 * zone. Shares come first: a host with more than its part of the memory has to hold some partitions
 * twice.
 */
final class BoundedLoad {
  static final int NONE = -1;

  /** So many copies above its share's ceiling, or below its floor, a node may keep. */
  private static final int SLACK = 1;

  /** What two copies on one host weigh against two in one zone. */
  private static final int HOST_WEIGHT = 16;

  /** How many exchanges are looked at before copies are left together: about a second's worth. */
  private static final long MAX_LOOKS = 5_000_000;

  private final int copies;
  private final int nodes;
  private final List<Seat> seats;
  private final long[] names;
  private final int[] hosts;
  private final int[] zones;

  /** The nodes of each partition, its primary first; {@link #NONE} where one is missing. */
  private final int[][] rows;

  /** How many copies each node holds. */
  private final int[] load;

  /** All partitions, in an order that has nothing to do with their numbers. */
  private final int[] order;

  private BoundedLoad(int partitions, int copies, List<Seat> seats) {
    this.copies = copies;
    this.seats = seats;
    nodes = seats.size();
    names = seats.stream().mapToLong(seat -> hash(seat.name())).toArray();
    hosts = numbers(seats.stream().map(Seat::host).toList());
    zones = numbers(seats.stream().map(Seat::zone).toList());
    rows = new int[partitions][copies];
    load = new int[nodes];
    order =
        IntStream.range(0, partitions)
            .boxed()
            .sorted(Comparator.comparingLong((Integer partition) -> mix(partition)))
            .mapToInt(Integer::intValue)
            .toArray();
  }

  /**
   * The nodes of every partition, its primary first, as indices into {@code seats}.
   *
   * @param copies from 1 to the number of nodes
   * @param seats at least one; wherever this is asked, in the same order
   * @param previous for every partition the nodes that hold it, each once, its primary first, or
   *     {@link #NONE} in its place if it is gone; any number of them
   */
  static int[][] place(int partitions, int copies, List<Seat> seats, int[][] previous) {
    BoundedLoad placement = new BoundedLoad(partitions, copies, seats);
    placement.placePrimaries(previous);
    if (copies > 1) {
      placement.placeBackups(previous);
    }
    return placement.rows;
  }

  // Primaries

  private void placePrimaries(int[][] previous) {
    for (int partition = 0; partition < rows.length; partition++) {
      Arrays.fill(rows[partition], NONE);
      put(partition, 0, previous[partition][0]);
    }
    int[] quota = Shares.of(rows.length, rows.length, seats).quotas(load, 0);
    int[] wanting = IntStream.range(0, nodes).filter(node -> load[node] < quota[node]).toArray();
    giveAwayPrimaries(quota, wanting);
    for (int partition : order) {
      if (rows[partition][0] == NONE) {
        int best = NONE;
        for (int node : wanting) {
          if (load[node] < quota[node]
              && (best == NONE || score(partition, node) > score(partition, best))) {
            best = node;
          }
        }
        put(partition, 0, best);
      }
    }
  }

  private void giveAwayPrimaries(int[] quota, int[] wanting) {
    List<Change> changes = new ArrayList<>();
    for (int partition = 0; partition < rows.length; partition++) {
      int holder = rows[partition][0];
      if (holder != NONE && load[holder] > quota[holder]) {
        long best = Long.MIN_VALUE;
        for (int node : wanting) {
          best = Math.max(best, score(partition, node));
        }
        changes.add(new Change(partition, 0, holder, 0, best));
      }
    }
    changes.sort(Change.BEST_FIRST);
    for (Change change : changes) {
      if (load[change.holder] > quota[change.holder]) {
        put(change.partition, 0, NONE);
      }
    }
  }

  // Backups

  private void placeBackups(int[][] previous) {
    int[][] held = new int[rows.length][];
    int[] kept = load.clone();
    for (int partition = 0; partition < rows.length; partition++) {
      int primary = rows[partition][0];
      held[partition] =
          Arrays.stream(previous[partition])
              .filter(node -> node != NONE && node != primary)
              .toArray();
      for (int i = 0; i < held[partition].length; i++) {
        load[held[partition][i]]++;
        // Where there is one too many, the former primary is likely to go.
        kept[held[partition][i]] += held[partition].length - i < copies ? 1 : 0;
      }
    }
    Shares shares = Shares.of(rows.length * copies, rows.length, seats);
    int[] quota = shares.quotas(kept, SLACK);
    for (int partition : order) {
      keepBackups(partition, held[partition], quota);
      if (rows[partition][0] != previous[partition][0]) {
        giveUpBesidePrimary(partition);
      }
    }
    for (int partition : order) {
      for (int position = 1; position < copies; position++) {
        if (rows[partition][position] == NONE) {
          put(partition, position, bestBackup(partition, position, held[partition], quota));
        }
      }
    }
    for (int node = 0; node < nodes; node++) {
      fillUp(node, quota);
    }
    while (passOn(quota)) {
      // Until no node can pass a backup on to one that has too few.
    }
    takeApart(shares);
  }

  /** Takes over the backups that are held, as many as there are to be. */
  private void keepBackups(int partition, int[] held, int[] quota) {
    int[] kept = held;
    while (kept.length > copies - 1) {
      int worst = 0;
      for (int i = 1; i < kept.length; i++) {
        if (isWorse(partition, kept, i, worst, quota)) {
          worst = i;
        }
      }
      load[kept[worst]]--;
      kept = without(kept, worst);
    }
    System.arraycopy(kept, 0, rows[partition], 1, kept.length);
  }

  /** Whether the one of these backups is given up rather than the other. */
  private boolean isWorse(int partition, int[] kept, int one, int other, int[] quota) {
    int tooManyOnOne = load[kept[one]] - quota[kept[one]];
    int tooManyOnOther = load[kept[other]] - quota[kept[other]];
    if (tooManyOnOne > 0 && tooManyOnOther > 0) {
      int[] all = Arrays.copyOf(kept, kept.length + 1);
      all[kept.length] = rows[partition][0];
      int withoutOne = cost(without(all, one));
      int withoutOther = cost(without(all, other));
      if (withoutOne != withoutOther) {
        return withoutOne < withoutOther;
      }
    }
    return tooManyOnOne > tooManyOnOther;
  }

  /** Takes backups off the new primary's host and zone; they may find no better place. */
  private void giveUpBesidePrimary(int partition) {
    int primary = rows[partition][0];
    for (int position = 1; position < copies; position++) {
      int node = rows[partition][position];
      if (node != NONE && (hosts[node] == hosts[primary] || zones[node] == zones[primary])) {
        put(partition, position, NONE);
      }
    }
  }

  /** Where there is room, else where there is least too much; then apart; then where it was. */
  private int bestBackup(int partition, int position, int[] held, int[] quota) {
    int best = NONE;
    long bestRank = 0;
    for (int node = 0; node < nodes; node++) {
      if (!holds(partition, node)) {
        int room = Math.min(1, quota[node] - load[node]);
        int cost = 2 * costWith(partition, position, node) + (contains(held, node) ? 0 : 1);
        long rank = cost - (long) room * 4 * HOST_WEIGHT * copies;
        if (best == NONE
            || rank < bestRank
            || (rank == bestRank && score(partition, node) > score(partition, best))) {
          best = node;
          bestRank = rank;
        }
      }
    }
    return best;
  }

  /** Gives a node with less than its quota backups of nodes with more than theirs. */
  private void fillUp(int node, int[] quota) {
    if (load[node] >= quota[node]) {
      return;
    }
    List<Change> changes = new ArrayList<>();
    for (int partition = 0; partition < rows.length; partition++) {
      for (int position = 1; position < copies && !holds(partition, node); position++) {
        int holder = rows[partition][position];
        if (load[holder] > quota[holder]) {
          int more = costWith(partition, position, node) - cost(rows[partition]);
          changes.add(new Change(partition, position, holder, more, score(partition, node)));
        }
      }
    }
    changes.sort(Change.BEST_FIRST);
    for (Change change : changes) {
      if (load[node] < quota[node]
          && load[change.holder] > quota[change.holder]
          && !holds(change.partition, node)) {
        put(change.partition, change.position, node);
      }
    }
  }

  /**
   * Takes a backup off a node with too many and gives one to a node with too few, over nodes in
   * between that pass one on; false if there is no such way.
   */
  private boolean passOn(int[] quota) {
    Change[] reachedBy = new Change[nodes];
    boolean[] seen = new boolean[nodes];
    Deque<Integer> queue = new ArrayDeque<>();
    for (int node = 0; node < nodes; node++) {
      if (load[node] > quota[node]) {
        seen[node] = true;
        queue.add(node);
      }
    }
    while (!queue.isEmpty()) {
      int holder = queue.remove();
      for (int partition = 0; partition < rows.length; partition++) {
        int position = positionOf(partition, holder);
        for (int node = 0; position > 0 && node < nodes; node++) {
          if (!seen[node] && !holds(partition, node)) {
            seen[node] = true;
            reachedBy[node] = new Change(partition, position, holder, 0, 0);
            if (load[node] < quota[node]) {
              passOn(reachedBy, node);
              return true;
            }
            queue.add(node);
          }
        }
      }
    }
    return false;
  }

  private void passOn(@Nullable Change[] reachedBy, int last) {
    int node = last;
    for (Change change = reachedBy[node]; change != null; change = reachedBy[node]) {
      put(change.partition, change.position, node);
      node = change.holder;
    }
  }

  // Hosts and zones

  /** Lets backups change places as long as that takes copies on one host or in one zone apart. */
  private void takeApart(Shares shares) {
    long together = Arrays.stream(rows).mapToLong(this::cost).sum();
    long least = HOST_WEIGHT * leastTogether(hosts) + leastTogether(zones);
    long looks = 0;
    for (boolean again = true; again; ) {
      again = false;
      for (int partition : order) {
        if (together > least && looks < MAX_LOOKS && cost(rows[partition]) > 0) {
          looks += (long) rows.length * (copies - 1) * (copies - 1);
          int gain = improve(partition, shares);
          together -= gain;
          again |= gain > 0;
        }
      }
    }
  }

  /** How many copies at least are on a host, or in a zone, with another one of their partition. */
  private long leastTogether(int[] groups) {
    long[] held = new long[Arrays.stream(groups).max().orElse(0) + 1];
    for (int node = 0; node < nodes; node++) {
      held[groups[node]] += load[node];
    }
    return Arrays.stream(held).map(count -> Math.max(0, count - rows.length)).sum();
  }

  /**
   * Moves one backup of the partition to a better node, in exchange for another partition's where
   * the node has no room; returns by how much the cost has gone down.
   */
  private int improve(int partition, Shares shares) {
    Exchange best = Exchange.NOTHING;
    for (int position = 1; position < copies; position++) {
      int holder = rows[partition][position];
      for (int node = 0; node < nodes; node++) {
        if (!holds(partition, node)
            && shares.allows(holder, load[holder] - 1)
            && shares.allows(node, load[node] + 1)) {
          int gain = cost(rows[partition]) - costWith(partition, position, node);
          best = best.orBetter(gain, position, node, NONE, NONE);
        }
      }
      for (int other = 0; other < rows.length; other++) {
        for (int place = 1; place < copies && !holds(other, holder); place++) {
          int node = rows[other][place];
          if (!holds(partition, node)) {
            int gain =
                cost(rows[partition])
                    - costWith(partition, position, node)
                    + cost(rows[other])
                    - costWith(other, place, holder);
            best = best.orBetter(gain, position, node, other, place);
          }
        }
      }
    }
    if (best.gain > 0) {
      if (best.other != NONE) {
        put(best.other, best.place, rows[partition][best.position]);
      }
      put(partition, best.position, best.node);
    }
    return best.gain;
  }

  /** What is wrong with these nodes for one partition: how many share a host or a zone. */
  private int cost(int[] row) {
    int cost = 0;
    for (int i = 1; i < row.length; i++) {
      boolean hostAgain = false;
      boolean zoneAgain = false;
      for (int j = 0; j < i && row[i] != NONE; j++) {
        if (row[j] != NONE) {
          hostAgain |= hosts[row[i]] == hosts[row[j]];
          zoneAgain |= zones[row[i]] == zones[row[j]];
        }
      }
      cost += (hostAgain ? HOST_WEIGHT : 0) + (zoneAgain ? 1 : 0);
    }
    return cost;
  }

  private int costWith(int partition, int position, int node) {
    int[] row = rows[partition];
    int holder = row[position];
    row[position] = node;
    int cost = cost(row);
    row[position] = holder;
    return cost;
  }

  // Rows

  private void put(int partition, int position, int node) {
    int holder = rows[partition][position];
    if (holder != NONE) {
      load[holder]--;
    }
    rows[partition][position] = node;
    if (node != NONE) {
      load[node]++;
    }
  }

  private boolean holds(int partition, int node) {
    return positionOf(partition, node) != NONE;
  }

  private int positionOf(int partition, int node) {
    int[] row = rows[partition];
    for (int position = 0; position < row.length; position++) {
      if (row[position] == node) {
        return position;
      }
    }
    return NONE;
  }

  private static boolean contains(int[] array, int value) {
    for (int element : array) {
      if (element == value) {
        return true;
      }
    }
    return false;
  }

  private static int[] without(int[] array, int index) {
    int[] shorter = new int[array.length - 1];
    System.arraycopy(array, 0, shorter, 0, index);
    System.arraycopy(array, index + 1, shorter, index, shorter.length - index);
    return shorter;
  }

  // Hashes

  private long score(int partition, int node) {
    return mix(names[node] ^ mix(partition));
  }

  private static long hash(String text) {
    long hash = 0;
    for (int i = 0; i < text.length(); i++) {
      hash = mix(hash + text.charAt(i));
    }
    return hash;
  }

  /** The finalizer of SplitMix64, a bijection. */
  private static long mix(long value) {
    long mixed = value + 0x9E3779B97F4A7C15L;
    mixed = (mixed ^ mixed >>> 30) * 0xBF58476D1CE4E5B9L;
    mixed = (mixed ^ mixed >>> 27) * 0x94D049BB133111EBL;
    return mixed ^ mixed >>> 31;
  }

  /** A number for each text, the same for equal ones, another for every one that is missing. */
  private static int[] numbers(List<@Nullable String> texts) {
    Map<String, Integer> known = new HashMap<>();
    int[] numbers = new int[texts.size()];
    int next = 0;
    for (int i = 0; i < numbers.length; i++) {
      String text = texts.get(i);
      Integer number = text == null ? null : known.putIfAbsent(text, next);
      numbers[i] = number == null ? next++ : number;
    }
    return numbers;
  }

  /**
   * A copy that might leave its node.
   *
   * @param more by how much its partition's cost rises
   */
  private record Change(int partition, int position, int holder, int more, long score) {
    static final Comparator<Change> BEST_FIRST =
        Comparator.comparingInt(Change::more)
            .thenComparing(Comparator.comparingLong(Change::score).reversed())
            .thenComparingInt(Change::partition)
            .thenComparingInt(Change::position);
  }

  /** A backup that goes to another node, for the one at {@code place} of another partition. */
  private record Exchange(int gain, int position, int node, int other, int place) {
    static final Exchange NOTHING = new Exchange(0, NONE, NONE, NONE, NONE);

    Exchange orBetter(int gain, int position, int node, int other, int place) {
      return gain > this.gain ? new Exchange(gain, position, node, other, place) : this;
    }
  }
}
