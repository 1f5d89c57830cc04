package io.trainingday.node.traces;

import io.trainingday.grid.SampleKey;
import io.trainingday.node.ownership.Member;
import io.trainingday.node.ownership.Ownership;
import io.trainingday.node.ownership.OwnershipTable;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Executor;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * What this node remembers of records that are not there, so that a miss can be explained.
 *
 * <p>Of every record that it took, refused, gave up or found unfit, the last {@link Fate} is kept:
 * one bit in a compressed set, some bits of memory a sample. When a read misses, the reason follows
 * from the fate of that very record, else from those of the same sample's other versions and
 * pipelines, and is kept with the miss. All of it is in memory: a node that restarts has forgotten.
 *
 * <p>Bounded: fates take at most {@value #MAX_BYTES} bytes, then those of the versions and
 * pipelines that were used longest ago are forgotten and a miss of their data set that nothing else
 * explains has {@link Reason#UNKNOWN}; the last {@value #MAX_MISSES} missed samples are known.
 *
 * <p>Safe for any number of threads; one lock a data set, held for some hundred nanoseconds.
 * Nothing is called on a hit. What nodes have taken with them counts at once, and is looked through
 * on a thread that ends when there is nothing to do.
 */
public final class Traces {
  static final int MAX_MISSES = 1 << 16;
  static final long MAX_BYTES = 32L << 20;
  private static final int MAX_SPACES = 4_096;
  private static final int MAX_DATASETS = 1_024;
  private static final int NOTES_BETWEEN_LOOKS = 1 << 14;
  private static final long IDLE_SECONDS = 10;

  private final Map<Long, DatasetTraces> datasets = new ConcurrentHashMap<>();
  private final @Nullable Ownership ownership;
  private final int maxBackups;
  private final long maxBytes;
  private final Executor later;

  private record Sample(long dataset, long index) {}

  // Guarded by itself.
  private final Map<Sample, Miss> misses =
      new LinkedHashMap<>() {
        private static final long serialVersionUID = 1L;

        @Override
        protected boolean removeEldestEntry(Map.Entry<Sample, Miss> eldest) {
          return size() > MAX_MISSES;
        }
      };

  /** Changes of the grid are taken one after the other, in their order. */
  private final Object gridLock = new Object();

  // Guarded by gridLock.
  private List<OwnershipTable> seen = List.of();

  // Guarded by this.
  private int notes;
  private volatile @Nullable OwnershipTable newest;

  /** Partitions of a number of backups that were lost at once. */
  record Loss(int backups, int partitionCount, BitSet partitions) {}

  /** Remembers, and hears from {@code ownership} which partitions are lost. */
  public Traces(Ownership ownership, int maxBackups) {
    this(ownership, maxBackups, MAX_BYTES, thread());
  }

  /**
   * @param ownership null: nothing is ever lost
   * @param later looks through what is lost, one task after the other
   */
  private Traces(@Nullable Ownership ownership, int maxBackups, long maxBytes, Executor later) {
    this.ownership = ownership;
    this.maxBackups = maxBackups;
    this.maxBytes = maxBytes;
    this.later = later;
    if (ownership != null) {
      lookAtGrid(ownership);
      ownership.onChange(() -> lookAtGrid(ownership));
    }
  }

  /** For where nothing has to be explained. */
  public static Traces none() {
    return new Traces(null, 0, 0, Runnable::run);
  }

  private static Executor thread() {
    ThreadPoolExecutor thread =
        new ThreadPoolExecutor(
            1,
            1,
            IDLE_SECONDS,
            TimeUnit.SECONDS,
            new LinkedBlockingQueue<>(),
            task -> {
              Thread created = new Thread(task, "training-day-traces");
              created.setDaemon(true);
              return created;
            });
    thread.allowCoreThreadTimeOut(true);
    return thread;
  }

  /** The grid's placement has changed: which partitions have nobody left who held them? */
  private void lookAtGrid(Ownership grid) {
    synchronized (gridLock) {
      List<OwnershipTable> now = new ArrayList<>();
      List<Loss> more = new ArrayList<>();
      for (int backups = 0; backups <= maxBackups; backups++) {
        OwnershipTable table = grid.table(backups);
        now.add(table);
        if (!seen.isEmpty()) {
          BitSet lost = lost(seen.get(backups), table);
          if (!lost.isEmpty()) {
            more.add(new Loss(backups, table.partitions(), lost));
          }
        }
      }
      if (!more.isEmpty()) {
        datasets.values().forEach(dataset -> dataset.lose(more));
        later.execute(() -> datasets.values().forEach(DatasetTraces::settle));
      }
      seen = now;
      newest = now.get(0);
    }
  }

  private static BitSet lost(OwnershipTable before, OwnershipTable now) {
    Set<UUID> members = new HashSet<>();
    now.members().forEach(member -> members.add(member.id()));
    BitSet lost = new BitSet();
    for (int partition = 0; partition < before.partitions(); partition++) {
      List<Member> held = before.copies(partition);
      if (held.stream().noneMatch(member -> members.contains(member.id()))) {
        lost.set(partition);
      }
    }
    return lost;
  }

  /** A record is taken, or was: what becomes of it is noted after. */
  public void kept(SampleKey key, int backups) {
    note(key, Fate.KEPT, backups);
  }

  /** Notes what became of a record; of one that another node noted, too. */
  public void note(SampleKey key, Fate fate) {
    note(key, fate, DatasetTraces.ANY_BACKUPS);
  }

  private void note(SampleKey key, Fate fate, int backups) {
    if (maxBytes == 0) {
      return;
    }
    DatasetTraces dataset = datasets.get(key.dataset());
    if (dataset == null) {
      if (datasets.size() >= MAX_DATASETS) {
        return;
      }
      dataset = datasets.computeIfAbsent(key.dataset(), unused -> new DatasetTraces());
    }
    dataset.note(key, fate, backups);
    forgetSome();
  }

  /** Notes that a reader did not get a record, and why. */
  public void missed(SampleKey key) {
    if (maxBytes == 0) {
      return;
    }
    DatasetTraces dataset = datasets.get(key.dataset());
    Fate fate = dataset == null ? null : dataset.fate(key);
    Reason reason = dataset != null ? dataset.reason(key) : full() ? Reason.UNKNOWN : Reason.COLD;
    miss(key, reason, fate == null ? "" : fate.why());
  }

  /** Notes that a reader did not get a record because this node might not serve. */
  public void notServed(SampleKey key) {
    if (maxBytes > 0) {
      miss(key, Reason.NOT_SERVING, "");
    }
  }

  private void miss(SampleKey key, Reason reason, String why) {
    Sample sample = new Sample(key.dataset(), key.index());
    Miss miss = new Miss(key, System.currentTimeMillis(), reason, why);
    synchronized (misses) {
      misses.remove(sample); // The newest stay.
      misses.put(sample, miss);
    }
  }

  /** The last miss of a sample here, of whatever version, pipeline and variant. */
  public Optional<Miss> lastMiss(long dataset, long index) {
    synchronized (misses) {
      return Optional.ofNullable(misses.get(new Sample(dataset, index)));
    }
  }

  /** The records of a sample that are gone with all who held them. */
  public List<SampleKey> lost(long dataset, long index) {
    catchUp();
    DatasetTraces traces = datasets.get(dataset);
    return traces == null ? List.of() : traces.lost(dataset, index);
  }

  private boolean full() {
    return datasets.size() >= MAX_DATASETS;
  }

  /** A change of the grid is seen here at once, not when its listeners are told. */
  private void catchUp() {
    Ownership grid = ownership;
    if (grid != null && grid.table(0) != newest) {
      lookAtGrid(grid);
    }
  }

  private void forgetSome() {
    synchronized (this) {
      if (++notes < NOTES_BETWEEN_LOOKS) {
        return;
      }
      notes = 0;
    }
    long bytes = 0;
    int spaces = 0;
    for (DatasetTraces dataset : datasets.values()) {
      bytes += dataset.bytes();
      spaces += dataset.spaces();
    }
    while (bytes > maxBytes || spaces > MAX_SPACES) {
      DatasetTraces largest = null;
      for (DatasetTraces dataset : datasets.values()) {
        if (largest == null || dataset.bytes() > largest.bytes()) {
          largest = dataset;
        }
      }
      if (largest == null || largest.spaces() == 0) {
        return;
      }
      bytes -= largest.forgetOldest();
      spaces--;
    }
  }
}
