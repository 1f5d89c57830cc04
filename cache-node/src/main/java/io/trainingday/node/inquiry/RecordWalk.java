package io.trainingday.node.inquiry;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.trainingday.grid.GridCaches;
import io.trainingday.grid.SampleKey;
import io.trainingday.node.ownership.Member;
import io.trainingday.node.ownership.OwnershipTable;
import io.trainingday.node.store.RecordStore;
import io.trainingday.node.store.RecordStores.Held;
import io.trainingday.node.tier.DiskTier;
import io.trainingday.node.versions.SampleVersion;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.LongAdder;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Function;
import java.util.function.LongSupplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Reads all records of this node once, in memory and on disk: checksum, placement, and whether the
 * other nodes that are to have a copy have it. A copy that is missing is told by the first that has
 * the record of those that are to have it, the primary before all, so that it is told once. One
 * that is to come to a node which does not hold all of its partition yet is under way, not missing.
 * Changes nothing, but that a disk drops an entry whose head is damaged. On a thread of its own.
 */
final class RecordWalk implements Runnable {
  private static final Logger LOG = LoggerFactory.getLogger(RecordWalk.class);

  /** A walk that nobody looks at any more ends. */
  private static final long UNWATCHED_NANOS = TimeUnit.SECONDS.toNanos(60);

  private static final int MAX_PROBLEMS = 100;
  private static final int KEYS_AT_ONCE = 128;

  /** A record that is written or evicted meanwhile is so on all nodes by then. */
  private static final long SECOND_LOOK_NANOS = TimeUnit.MILLISECONDS.toNanos(100);

  private final Inquiries grid;
  private final long bytesPerSecond;
  private final long startNanos = System.nanoTime();
  private final RecordCheck check = new RecordCheck();
  private final Map<Long, Integer> backupsOf = new HashMap<>();

  private final LongAdder memoryRecords = new LongAdder();
  private final LongAdder diskRecords = new LongAdder();
  private final LongAdder bytes = new LongAdder();
  private final LongAdder damaged = new LongAdder();
  private final LongAdder missingCopies = new LongAdder();
  private final LongAdder copiesUnderWay = new LongAdder();
  private final LongAdder misplaced = new LongAdder();
  private final LongAdder unreachable = new LongAdder();
  private final LongAdder partitionsDone = new LongAdder();
  private final List<ObjectNode> problems = new ArrayList<>(); // Guarded by itself.
  private volatile int partitionsToDo;
  private volatile long watchedNanos = System.nanoTime();
  private volatile boolean finished;
  private volatile boolean ended;
  private volatile String failure = "";

  RecordWalk(Inquiries grid, long bytesPerSecond) {
    this.grid = grid;
    this.bytesPerSecond = bytesPerSecond;
  }

  @Override
  public void run() {
    try {
      walk();
    } catch (RuntimeException e) {
      LOG.warn("Reading all records ended early", e);
      failure = String.valueOf(e.getMessage());
    } finally {
      if (goesOn()) {
        finished = failure.isEmpty();
      }
      ended = true;
    }
  }

  void end() {
    ended = true;
  }

  private boolean goesOn() {
    return !ended && System.nanoTime() - watchedNanos < UNWATCHED_NANOS;
  }

  private void walk() {
    Optional<DiskTier> disk = grid.disk();
    int todo = disk.isPresent() ? grid.stores().partitions() : 0;
    for (int backups = 0; backups <= GridCaches.MAX_BACKUPS; backups++) {
      todo += grid.stores().partitions(backups, Held.PRIMARY).size();
      todo += grid.stores().partitions(backups, Held.BACKUP).size();
    }
    partitionsToDo = todo;
    for (int backups = 0; backups <= GridCaches.MAX_BACKUPS; backups++) {
      for (Held held : List.of(Held.PRIMARY, Held.BACKUP)) {
        for (int partition : grid.stores().partitions(backups, held)) {
          walkMemory(backups, partition);
          partitionsDone.increment();
        }
      }
    }
    for (int partition = 0;
        disk.isPresent() && partition < grid.stores().partitions() && goesOn();
        partition++) {
      walkDisk(disk.get(), partition);
      partitionsDone.increment();
    }
  }

  private void walkMemory(int backups, int partition) {
    RecordStore store = grid.stores().of(backups);
    Copies copies = new Copies(backups, partition);
    boolean unused =
        grid.stores()
            .forEachKey(
                backups,
                partition,
                (key, recordBytes) -> {
                  memoryRecords.increment();
                  look(key, "memory", k -> store.read(k, check), store::contains, () -> 0);
                  if (isReachable(key)) {
                    copies.add(key);
                  }
                  return goesOn();
                });
    copies.end();
  }

  private void walkDisk(DiskTier disk, int partition) {
    Map<Integer, Copies> copies = new HashMap<>();
    boolean unused =
        disk.forEachKey(
            partition,
            (key, recordBytes) -> {
              diskRecords.increment();
              look(
                  key,
                  "disk",
                  k -> disk.readRecord(k, check),
                  disk::holds,
                  () -> disk.stats().store().damaged());
              int backups = backupsOf.computeIfAbsent(key.dataset(), grid::backupsOf);
              OwnershipTable table = grid.ownership().table(backups);
              boolean reachable = isReachable(key);
              if (reachable && !table.isLocal(partition)) {
                misplaced.increment();
                problem(key, "disk", "misplaced");
              }
              if (reachable
                  && table.isLocal(partition)
                  && !grid.stores().of(backups).contains(key)) {
                copies.computeIfAbsent(backups, b -> new Copies(b, partition)).add(key);
              }
              return goesOn();
            });
    copies.values().forEach(Copies::end);
  }

  private boolean isReachable(SampleKey key) {
    return grid.versions().isReachable(key);
  }

  private void look(
      SampleKey key,
      String tier,
      Function<SampleKey, Integer> read,
      Function<SampleKey, Boolean> contains,
      LongSupplier dropped) {
    if (!isReachable(key)) {
      unreachable.increment();
    }
    long droppedBefore = dropped.getAsLong();
    int length = read.apply(key);
    if (length == RecordStore.MISS && contains.apply(key)) {
      length = read.apply(key); // It may have moved while it was read.
    }
    boolean sound = length != RecordStore.MISS && check.isSound();
    // A disk drops an entry whose head is damaged when it is read, by us or a trainer.
    boolean gone = length == RecordStore.MISS && dropped.getAsLong() > droppedBefore;
    if (!sound && (gone || contains.apply(key))) {
      damaged.increment();
      problem(key, tier, "damaged");
    }
    bytes.add(Math.max(0, length));
    throttle();
  }

  private void throttle() {
    if (bytesPerSecond > 0) {
      double due = (double) bytes.sum() / bytesPerSecond * TimeUnit.SECONDS.toNanos(1);
      long ahead = (long) due - (System.nanoTime() - startNanos);
      while (ahead > 0 && goesOn()) {
        LockSupport.parkNanos(this, Math.min(ahead, TimeUnit.MILLISECONDS.toNanos(100)));
        ahead = (long) due - (System.nanoTime() - startNanos);
      }
    }
  }

  private void problem(SampleKey key, String tier, String what) {
    synchronized (problems) {
      if (problems.size() < MAX_PROBLEMS) {
        problems.add(
            JsonNodeFactory.instance
                .objectNode()
                .put("dataset", grid.nameOf(key.dataset()))
                .put("index", key.index())
                .put("variant", key.variant())
                .put("generation", SampleVersion.generation(key.sampleVersion()))
                .put("host", grid.host())
                .put("tier", tier)
                .put("problem", what));
      }
    }
  }

  /** How far it is and what it has found. */
  ObjectNode report() {
    watchedNanos = System.nanoTime();
    ObjectNode report =
        JsonNodeFactory.instance
            .objectNode()
            .put("finished", finished)
            .put("failure", ended && !finished && failure.isEmpty() ? "ended early" : failure)
            .put("partitionsDone", partitionsDone.sum())
            .put("partitions", partitionsToDo)
            .put("memoryRecords", memoryRecords.sum())
            .put("diskRecords", diskRecords.sum())
            .put("bytes", bytes.sum())
            .put("damaged", damaged.sum())
            .put("missingCopies", missingCopies.sum())
            .put("copiesUnderWay", copiesUnderWay.sum())
            .put("misplaced", misplaced.sum())
            .put("unreachable", unreachable.sum());
    ArrayNode list = report.putArray("problems");
    synchronized (problems) {
      problems.forEach(list::add);
    }
    return report;
  }

  /**
   * Copies of one record that are not there.
   *
   * @param missing from nodes that hold all of its partition but this
   * @param underWay to nodes that do not hold all of its partition yet
   */
  record Lack(int missing, int underWay) {
    /**
     * @param wanted how many copies are to be
     * @param holders how many nodes hold all of its partition
     * @param found how many of these have the record
     */
    static Lack of(int wanted, int holders, int found) {
      return new Lack(
          Math.max(0, Math.min(wanted, holders) - found), Math.max(0, wanted - holders));
    }

    boolean isAny() {
      return missing > 0 || underWay > 0;
    }
  }

  /** Records of one partition that this node is to have. */
  private final class Copies {
    private final int backups;
    private final int partition;
    private final List<SampleKey> keys = new ArrayList<>();
    private final List<SampleKey> suspects = new ArrayList<>();

    Copies(int backups, int partition) {
      this.backups = backups;
      this.partition = partition;
    }

    void add(SampleKey key) {
      if (backups > 0) {
        keys.add(key);
        if (keys.size() >= KEYS_AT_ONCE) {
          askForAll();
        }
      }
    }

    private void askForAll() {
      lacks(keys).keySet().forEach(suspects::add);
      keys.clear();
    }

    /** Tells what is missing, after a second look. */
    void end() {
      askForAll();
      if (suspects.isEmpty() || !goesOn()) {
        return;
      }
      LockSupport.parkNanos(this, SECOND_LOOK_NANOS);
      for (int from = 0; from < suspects.size() && goesOn(); from += KEYS_AT_ONCE) {
        lacks(suspects.subList(from, Math.min(from + KEYS_AT_ONCE, suspects.size())))
            .forEach(
                (key, lack) -> {
                  copiesUnderWay.add(lack.underWay());
                  if (lack.missing() > 0) {
                    missingCopies.add(lack.missing());
                    problem(key, "copies", "missing");
                  }
                });
      }
    }

    /**
     * Which copies each of these lacks, of those that this node is the first to have. None when a
     * node does not say what it has, or owners change meanwhile.
     */
    private Map<SampleKey, Lack> lacks(List<SampleKey> asked) {
      OwnershipTable table = grid.ownership().table(backups);
      List<Member> holders = table.copies(partition);
      if (asked.isEmpty() || !table.isLocal(partition)) {
        return Map.of();
      }
      int wanted = Math.min(1 + backups, table.members().size());
      int[] found = new int[asked.size()];
      boolean[] toldByAnother = new boolean[asked.size()];
      boolean before = true;
      for (Member holder : holders) {
        if (holder.local()) {
          before = false;
        } else {
          String have = grid.have(holder, backups, asked);
          if (have.length() != asked.size()) {
            return Map.of();
          }
          for (int i = 0; i < found.length; i++) {
            boolean has = have.charAt(i) == '1';
            found[i] += has ? 1 : 0;
            toldByAnother[i] |= has && before;
          }
        }
      }
      Map<SampleKey, Lack> lacks = new LinkedHashMap<>();
      for (int i = 0; i < found.length; i++) {
        Lack lack = Lack.of(wanted, holders.size(), 1 + found[i]);
        if (lack.isAny() && !toldByAnother[i] && grid.holds(backups, asked.get(i))) {
          lacks.put(asked.get(i), lack);
        }
      }
      return grid.ownership().table(backups) == table ? lacks : Map.of();
    }
  }
}
