package io.trainingday.node;

import io.trainingday.config.SettingKey;
import io.trainingday.config.Settings.Policy;
import io.trainingday.config.Settings.Tier;
import io.trainingday.node.capacity.Capacity;
import io.trainingday.node.lane.LaneStats;
import io.trainingday.node.metrics.NodeStats;
import io.trainingday.node.policy.Advice;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.function.ToLongFunction;
import org.jspecify.annotations.Nullable;

/** Puts together what the lane, the memory and the disk of a node know of its data sets. */
final class DatasetReport {
  /** Fewer tell more of the first of them than of the others. */
  private static final long LEAST_TIMED_LOADS = 100;

  private static final long LEAST_TIMED_READS = 1_000;
  private static final double NANOS_PER_SECOND = 1e9;

  /**
   * The disk of a node.
   *
   * @param budgetBytes of all records on it, 0 without a disk tier
   * @param uses what is on it
   */
  record Disk(long budgetBytes, List<Capacity.Use> uses) {
    static final Disk NONE = new Disk(0, List.of());

    Disk {
      uses = List.copyOf(uses);
    }
  }

  private final String host;
  private final List<Capacity.Use> uses;
  private final Disk disk;

  private DatasetReport(String host, List<Capacity.Use> uses, Disk disk) {
    this.host = host;
    this.uses = uses;
    this.disk = disk;
  }

  /**
   * @param reads of the data sets that were opened here
   * @param shares in the memory, of all data sets that may be named
   * @param uses what is held, in memory or on disk
   */
  static List<NodeStats.Dataset> of(
      String host,
      List<LaneStats.Reads> reads,
      List<Capacity.Share> shares,
      List<Capacity.Use> uses,
      Disk disk) {
    DatasetReport report = new DatasetReport(host, uses, disk);
    Map<String, Capacity.Share> sharesByName = new HashMap<>();
    shares.forEach(share -> sharesByName.put(share.terms().name(), share));
    SortedMap<String, LaneStats.Reads> readsByName = new TreeMap<>();
    reads.forEach(read -> readsByName.put(read.dataset(), read));
    for (Capacity.Share share : shares) {
      String name = share.terms().name();
      if (!name.isEmpty() && (report.entries(share) > 0 || refused(share) > 0)) {
        readsByName.computeIfAbsent(name, DatasetReport::unread);
      }
    }
    List<NodeStats.Dataset> all = new ArrayList<>();
    readsByName.forEach((name, read) -> all.add(report.of(read, sharesByName.get(name))));
    return all;
  }

  private static LaneStats.Reads unread(String name) {
    LaneStats.Source none = new LaneStats.Source(0, 0, 0);
    return new LaneStats.Reads(
        name, 0, none, none, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, none, LaneStats.Work.NONE);
  }

  private NodeStats.Dataset of(LaneStats.Reads reads, Capacity.@Nullable Share share) {
    int slash = reads.dataset().indexOf('/');
    String name = reads.dataset().substring(slash + 1);
    Policy policy = share == null ? Policy.PIN : share.terms().policy();
    Tier tier = share == null ? Tier.MEMORY : share.terms().tier();
    Map<String, Long> refusals = new HashMap<>();
    if (share != null) {
      share
          .refusals()
          .forEach((reason, count) -> refusals.put(reason.name().toLowerCase(Locale.ROOT), count));
    }
    Double best = share == null ? null : best(share);
    Double loadSeconds = seconds(reads.loadNanos(), reads.timedLoads(), LEAST_TIMED_LOADS);
    Double readSeconds = seconds(reads.readNanos(), reads.timedReads(), LEAST_TIMED_READS);
    List<String> warnings = new ArrayList<>();
    if (share != null) {
      warnings.addAll(onRoom(name, share, best));
    }
    if (loadSeconds != null && readSeconds != null) {
      Advice.onLoading(loadSeconds, readSeconds).ifPresent(warnings::add);
    }
    return new NodeStats.Dataset(
        reads.dataset().substring(0, Math.max(0, slash)),
        name,
        host,
        SettingKey.DATASET_TIER.format(tier),
        SettingKey.DATASET_POLICY.format(policy),
        reads.generation(),
        source(reads.local()),
        source(reads.peer()),
        reads.loads(),
        reads.abandoned(),
        reads.damaged(),
        reads.stale(),
        share == null ? 0 : entries(share),
        share == null ? 0 : bytes(share),
        share == null ? 0 : budget(share),
        reads.recentSamples() == 0 ? 0 : (double) reads.recentHits() / reads.recentSamples(),
        best,
        loadSeconds,
        readSeconds,
        refusals,
        share == null ? 0 : share.evictions(),
        warnings,
        source(reads.disk()),
        trainers(reads.work()));
  }

  private List<String> onRoom(String name, Capacity.Share share, @Nullable Double best) {
    Tier tier = share.terms().tier();
    String toRaise = tier.onDisk() ? "disk.maxSize" : "memory.maxSize or its quota";
    // What is on disk is counted now and then only: there, the budget tells.
    if (tier == Tier.MEMORY && share.records() == 0 && refused(share) > 0) {
      return List.of(Advice.onNothingTaken(name, refused(share), toRaise));
    }
    return best == null
        ? List.of()
        : Advice.on(name, tier.onDisk() ? Policy.PIN : share.terms().policy(), best, toRaise);
  }

  private static @Nullable Double seconds(long nanos, long samples, long least) {
    return samples < least ? null : nanos / NANOS_PER_SECOND / samples;
  }

  private static long refused(Capacity.Share share) {
    return share.refusals().values().stream().mapToLong(count -> count).sum();
  }

  // What there is.

  private long entries(Capacity.Share share) {
    return share.terms().tier() == Tier.MEMORY
        ? share.records()
        : sum(uses, share.dataset(), Capacity.Use::records);
  }

  private long bytes(Capacity.Share share) {
    return share.terms().tier() == Tier.MEMORY
        ? share.bytes()
        : sum(uses, share.dataset(), Capacity.Use::bytes);
  }

  private static long sum(
      List<Capacity.Use> uses, long dataset, ToLongFunction<Capacity.Use> what) {
    return uses.stream().filter(use -> use.dataset() == dataset).mapToLong(what).sum();
  }

  // What there may be. In memory and on disk, the larger one counts: both are filled with what
  // comes first, so the smaller one holds nothing beside.

  private long budget(Capacity.Share share) {
    return switch (share.terms().tier()) {
      case MEMORY -> share.budgetBytes();
      case DISK -> budgetOnDisk(share);
      case HYBRID -> Math.max(share.budgetBytes(), budgetOnDisk(share));
    };
  }

  /**
   * On disk nothing gives way: a data set may have what others have not. A few percent go to the
   * index beside.
   */
  private long budgetOnDisk(Capacity.Share share) {
    long others =
        disk.uses.stream()
            .filter(use -> use.dataset() != share.dataset())
            .mapToLong(Capacity.Use::bytes)
            .sum();
    return Math.max(0, disk.budgetBytes - others);
  }

  private @Nullable Double best(Capacity.Share share) {
    Double inMemory = share.bestHitRate();
    Double onDisk = bestOnDisk(share);
    return switch (share.terms().tier()) {
      case MEMORY -> inMemory;
      case DISK -> onDisk;
      case HYBRID ->
          inMemory == null || onDisk == null ? onDisk : (Double) Math.max(inMemory, onDisk);
    };
  }

  private @Nullable Double bestOnDisk(Capacity.Share share) {
    long budget = budgetOnDisk(share);
    long records = sum(disk.uses, share.dataset(), Capacity.Use::records);
    double mean =
        records > 0
            ? (double) sum(disk.uses, share.dataset(), Capacity.Use::bytes) / records
            : share.meanRecordBytes();
    double needed = share.wantedRecords() * mean;
    if (needed > 0) {
      return Math.min(1, budget / needed);
    }
    return budget > 0 ? null : (Double) 0.0;
  }

  private static NodeStats.Trainers trainers(LaneStats.Work work) {
    return new NodeStats.Trainers(
        work.waitedNanos() / NANOS_PER_SECOND,
        work.activeNanos() / NANOS_PER_SECOND,
        work.workerWaitedNanos() / NANOS_PER_SECOND,
        work.workerActiveNanos() / NANOS_PER_SECOND,
        work.loads(),
        work.loadNanos() / NANOS_PER_SECOND,
        work.savedNanos() / NANOS_PER_SECOND);
  }

  private static NodeStats.Source source(LaneStats.Source source) {
    return new NodeStats.Source(source.hits(), source.hitBytes(), source.misses());
  }
}
