package io.trainingday.node.capacity;

import io.trainingday.config.Settings;
import io.trainingday.grid.GridCaches;
import io.trainingday.grid.SampleKey;
import io.trainingday.node.ownership.Member;
import io.trainingday.node.ownership.Ownership;
import io.trainingday.node.store.RecordStores;
import io.trainingday.node.store.RecordStores.Held;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.UUID;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import java.util.function.Function;
import java.util.function.LongFunction;
import java.util.function.Predicate;
import java.util.function.Supplier;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.apache.ignite.Ignite;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Keeps the samples of one node within its memory: admits records, drops those that nobody can
 * reach any more, and takes over partitions from other nodes. Close before the stores are drained.
 */
public final class Capacity implements AutoCloseable {
  /**
   * What one node holds of one data set and pipeline.
   *
   * @param dataset hash of the data set's name
   * @param pipeline hash of the pipeline's fingerprint
   * @param records that can be reached, copies of other nodes' records included
   * @param bytes of these records
   */
  public record Use(long dataset, long pipeline, long records, long bytes) {}

  /**
   * What was done since the node's start, and what is left to do.
   *
   * @param reclaimed records dropped because nobody could reach them any more
   * @param reclaimedBytes their bytes
   * @param arrived records taken over from other nodes
   * @param arrivedBytes their bytes
   * @param dropped records dropped because what was to be taken over did not fit
   * @param partitionsArriving partitions this node is to hold and has not got all of yet
   * @param readsTold reads of copies here that the nodes which decide about them were told of
   * @param readsUntold such that they were not told of, for there were too many
   * @param readsHeard reads of copies elsewhere that this node was told of
   */
  public record Stats(
      long reclaimed,
      long reclaimedBytes,
      long arrived,
      long arrivedBytes,
      long dropped,
      int partitionsArriving,
      long readsTold,
      long readsUntold,
      long readsHeard) {}

  /**
   * One data set's share of this node's memory.
   *
   * @param dataset hash of the data set's name
   * @param records held here, copies of other nodes' records included
   * @param bytes of these records
   * @param budgetBytes of records it may have here now, copies included
   * @param bestHitRate the most that a shuffled pass over all of it can find here, 0–1: the part of
   *     this node's samples that the budget holds; null before any record has come
   * @param wantedRecords how many this node would hold if it held all of it, copies included
   * @param meanRecordBytes of those held, or of those refused where none is; 0 before any has come
   * @param refusals records refused since the start, by reason
   * @param evictions records given up for others since the start
   * @param evictedBytes of them
   * @param indexBytes of heap that the order of victims takes
   */
  public record Share(
      long dataset,
      DatasetTerms terms,
      long records,
      long bytes,
      long budgetBytes,
      @Nullable Double bestHitRate,
      double wantedRecords,
      double meanRecordBytes,
      Map<Refusal, Long> refusals,
      long evictions,
      long evictedBytes,
      long indexBytes) {
    public Share {
      refusals = Map.copyOf(refusals);
    }
  }

  private static final Logger LOG = LoggerFactory.getLogger(Capacity.class);

  /** What data sets may have is looked up with each change; this is for changes nobody heard of. */
  private static final int LOOKS_PER_TERMS = 10;

  private static final long LOOK_MILLIS = 500;
  private static final long READ_NEWS_MILLIS = 250;

  /** How long a node that has left may still be written for, and so keeps what it was promised. */
  private static final long FAREWELL_NANOS = 10_000_000_000L;

  /** Pages that a partition takes before it holds anything. */
  private static final int PAGES_OF_EMPTY_PARTITION = 2;

  private final Ignite ignite;
  private final RecordStores stores;
  private final Ownership ownership;
  private final Admission admission;
  private final SoftCap softCap;
  private final ReadNews readNews;
  private final Shares shares;
  private final Evictor evictor;

  /** Told of every record that is given up for room. */
  private volatile Consumer<SampleKey> evicted = unused -> {};

  private final SharedRoom room;
  private final Sweeper sweeper;
  private final Arrivals arrivals;
  private final Forecast forecast;
  private final Reserve reserve;
  private final OwnPartitions ownPartitions;
  private final Rebalancer rebalancer;
  private final RoomMessages messages;
  private final ScheduledExecutorService thread;
  private final Map<UUID, Long> lastSeen = new HashMap<>();
  private int looks;
  private volatile long pagesOfAbsentPartitions;
  private volatile Supplier<List<Use>> onDisk = List::of;

  private Capacity(
      Ignite ignite,
      RecordStores stores,
      Ownership ownership,
      Settings settings,
      Predicate<SampleKey> reachable,
      LongFunction<Optional<DatasetTerms>> termsOf) {
    this.ignite = ignite;
    this.stores = stores;
    this.ownership = ownership;
    int maxRecordBytes = Math.toIntExact(settings.lane().maxRecordSize().bytes());
    admission =
        new Admission(
            ignite.cluster().localNode().id(),
            settings.memory().maxSize().bytes(),
            settings.memory().resolvedHeadroom().bytes(),
            maxRecordBytes,
            ignite.configuration().getDataStorageConfiguration().getPageSize(),
            () -> usedPages() + pagesOfAbsentPartitions);
    readNews = new ReadNews(ignite, this::otherPrimary, this::readElsewhere);
    shares =
        new Shares(
            termsOf,
            stores.partitions(),
            settings.memory().maxSize().bytes(),
            this::versionsChanged,
            readNews::read);
    softCap =
        new SoftCap(
            HostLimits.here(),
            MemoryPlan.containerLimit(),
            MemoryPlan.hostBytes(),
            admission.pageBytes(),
            this::usedPages);
    evictor = new Evictor(stores, admission, shares, key -> evicted.accept(key));
    admission.onEvictionWanted(evictor::wantedByOther);
    admission.guaranteedPages(() -> admission.pagesOf(shares.unmetBytes(null)));
    room = new SharedRoom(admission, shares, evictor);
    sweeper = new Sweeper(stores, reachable, shares);
    arrivals =
        new Arrivals(
            ignite,
            stores,
            admission,
            shares,
            reachable,
            settings.rebalance().maxRate().bytes(),
            maxRecordBytes);
    reserve = new Reserve(stores, admission, shares, arrivals.pagesToKeepFree());
    ownPartitions = new OwnPartitions(stores, ownership, shares);
    forecast = new Forecast(stores, admission, shares, this::usesOfGrid);
    rebalancer = new Rebalancer(ignite, stores, admission, sweeper, forecast, arrivals);
    look();
    messages = RoomMessages.start(ignite, admission);
    thread =
        Executors.newSingleThreadScheduledExecutor(
            task -> {
              Thread created = new Thread(task, "training-day-capacity");
              created.setDaemon(true);
              return created;
            });
  }

  /**
   * Starts the work in the background; rebalancing begins at once.
   *
   * @param stores the only ones that write to this node's samples
   * @param reachable false for a record that nobody will ever ask for again; asked often, on
   *     threads of ours, so it should take no more than a microsecond
   * @param termsOf what the grid keeps of a data set by the hash of its name, from this node's copy
   */
  public static Capacity start(
      Ignite ignite,
      RecordStores stores,
      Ownership ownership,
      Settings settings,
      Predicate<SampleKey> reachable,
      LongFunction<Optional<DatasetTerms>> termsOf) {
    Capacity capacity = new Capacity(ignite, stores, ownership, settings, reachable, termsOf);
    capacity.arrivals.start();
    capacity.rebalancer.start();
    capacity.sweeper.start();
    capacity.evictor.start();
    capacity.readNews.start();
    GridUses.offer(ignite, capacity::uses);
    GridNews.listen(ignite, capacity.shares::look);
    ownership.onChange(capacity::gridChanged);
    var unused =
        capacity.thread.scheduleWithFixedDelay(
            capacity::gridChanged, LOOK_MILLIS, LOOK_MILLIS, TimeUnit.MILLISECONDS);
    var unusedToo =
        capacity.thread.scheduleWithFixedDelay(
            capacity::tellReads, READ_NEWS_MILLIS, READ_NEWS_MILLIS, TimeUnit.MILLISECONDS);
    return capacity;
  }

  /** How much is free, whatever it is for. */
  public Admission admission() {
    return admission;
  }

  /** Decides what is written. */
  public Room room() {
    return room;
  }

  /** Is to be told what is read here. */
  public ReadRecorder reads() {
    return shares;
  }

  /**
   * Says on all nodes that the grid keeps other terms of a data set from now on; returns when they
   * hold everywhere. A node that does not answer within seconds finds out by itself.
   */
  public void termsChanged(long dataset) {
    GridNews.tell(ignite, dataset);
  }

  /** The shares of all data sets that were opened here or are held, in memory or on disk. */
  public List<Share> shares() {
    for (Use use : onDisk.get()) {
      DatasetShare unused = shares.of(use.dataset());
    }
    long copyRecords = 0;
    long copyBytes = 0;
    long records = 0;
    long bytes = 0;
    for (DatasetShare share : shares.all()) {
      copyRecords += sweeper.copies(share.dataset()).records();
      copyBytes += sweeper.copies(share.dataset()).bytes();
      records += share.heldRecords();
      bytes += share.heldBytes();
    }
    double ofRecords = admission.meanPages(records + copyRecords, bytes + copyBytes);
    long others = Math.max(0, usedPages() - (long) ofRecords);
    long pages = admission.limitPages() - others;
    List<Share> all = new ArrayList<>();
    for (DatasetShare share : shares.all()) {
      all.add(describe(share, pages));
    }
    return all;
  }

  private Share describe(DatasetShare share, long pagesOfAll) {
    Sweeper.Tally copies = sweeper.copies(share.dataset());
    DatasetTerms terms = share.terms();
    long records = share.heldRecords() + copies.records();
    long bytes = share.heldBytes() + copies.bytes();
    // Of one that has never had room, what was refused tells how large its records are.
    long known = records > 0 ? records : share.refusedRecords();
    long knownBytes = records > 0 ? bytes : share.refusedBytes();
    double perRecord = known == 0 ? 0 : admission.meanPages(known, knownBytes) / known;
    double perByte = knownBytes == 0 ? admission.meanPages(0, 1) : perRecord * known / knownBytes;
    double budgetPages =
        Math.max(
            0,
            Math.min(
                sharePages(share, (double) pagesOfAll), (double) share.quotaBytes() * perByte));
    double wanted = (double) terms.samples() * primaryShare(terms.backups()) * share.copies();
    Double best = null;
    if (known > 0 && terms.samples() > 0) {
      double needed = wanted * perRecord;
      best = needed == 0 ? 1 : Math.min(1, budgetPages / needed);
    }
    return new Share(
        share.dataset(),
        terms,
        records,
        bytes,
        (long) (budgetPages / perByte),
        best,
        wanted,
        known == 0 ? 0 : (double) knownBytes / known,
        share.refusals(),
        share.evictions(),
        share.evictedBytes(),
        share.indexHeapBytes());
  }

  /**
   * Pages for one data set: what is pinned stays, those that evict have equal parts of the rest.
   */
  private double sharePages(DatasetShare share, double pagesOfAll) {
    double left = pagesOfAll;
    int sharing = 1;
    for (DatasetShare other : shares.all()) {
      if (other != share) {
        if (share.evicts() && other.evicts()) {
          sharing += other.heldRecords() > 0 ? 1 : 0;
        } else {
          left -= admission.pagesOf(other.heldBytes() * other.copies());
        }
      }
    }
    return left / sharing;
  }

  private double primaryShare(int backups) {
    return (double) stores.partitions(backups, Held.PRIMARY).size() / stores.partitions();
  }

  /** Says that versions have changed, so that there may be records nobody can reach any more. */
  public void versionsChanged() {
    sweeper.wake();
  }

  /** Has {@code listener} told of every record that is given up for room; it must be quick. */
  public void onEviction(Consumer<SampleKey> listener) {
    evicted = listener;
  }

  /**
   * Counts what is on disk, too.
   *
   * @param uses as {@link #uses}, of the disk alone
   */
  public void countDisk(Supplier<List<Use>> uses) {
    onDisk = uses;
  }

  /**
   * What this node holds, by data set and pipeline, as the last walk over all keys found it: half a
   * minute old, or as long as a walk takes if that is longer. Records that came or went during the
   * walk may be counted or not. Of what is in memory and on disk the larger one counts, for all of
   * memory is on disk too, or all of the disk in memory.
   */
  public List<Use> uses() {
    return Stream.concat(sweeper.uses().stream(), onDisk.get().stream())
        .collect(
            Collectors.collectingAndThen(
                Collectors.toMap(
                    use -> Map.entry(use.dataset(), use.pipeline()),
                    Function.identity(),
                    (one, other) -> one.records() >= other.records() ? one : other),
                uses -> List.copyOf(uses.values())));
  }

  /**
   * {@link #uses} of every node of the grid, by node id; asks them all and waits for them, some
   * seconds at most.
   *
   * @throws org.apache.ignite.IgniteException when a node does not answer
   */
  public Map<UUID, List<Use>> usesOfGrid() {
    return GridUses.ask(ignite);
  }

  /** Figures of now. */
  public Stats stats() {
    return new Stats(
        sweeper.reclaimed(),
        sweeper.reclaimedBytes(),
        arrivals.arrived(),
        arrivals.arrivedBytes(),
        arrivals.dropped(),
        partitions(Held.ARRIVING),
        readNews.told(),
        readNews.dropped(),
        readNews.heard());
  }

  private Optional<UUID> otherPrimary(SampleKey key) {
    int backups = shares.of(key.dataset()).terms().backups();
    Member primary = ownership.table(backups).primary(shares.partition(key));
    return primary.local() ? Optional.empty() : Optional.of(primary.id());
  }

  private void readElsewhere(SampleKey[] keys) {
    shares.readElsewhere(keys);
  }

  private void tellReads() {
    try {
      readNews.send();
    } catch (RuntimeException failure) {
      // The thread must go on.
      LOG.warn("Other nodes were not told of reads", failure);
    }
  }

  private void gridChanged() {
    try {
      look();
      rebalancer.signal();
    } catch (RuntimeException failure) {
      // The next look is due in a moment.
      LOG.debug("could not look at the grid", failure);
    }
  }

  private synchronized void look() {
    long now = System.nanoTime();
    List<Member> members = ownership.members();
    members.forEach(member -> lastSeen.put(member.id(), now));
    List<UUID> gone =
        lastSeen.entrySet().stream()
            .filter(seen -> now - seen.getValue() > FAREWELL_NANOS)
            .map(Map.Entry::getKey)
            .toList();
    admission.forget(gone);
    readNews.alone(members.size() == 1);
    gone.forEach(lastSeen::remove);
    admission.capAt(softCap.pages());
    if (ownPartitions.look(members)) {
      // There are records to be found, or somebody has come who is going to ask what there is.
      sweeper.wake();
    }
    if (++looks % LOOKS_PER_TERMS == 0) {
      shares.look();
    }
    // Before the reserve is given up that was kept for it.
    if (partitions(Held.ARRIVING) > 0) {
      arrivals.expect(forecast.pages());
    } else {
      arrivals.expectNothing();
    }
    reserve.look(members);
    int absent = 0;
    for (int backups = 0; backups <= GridCaches.MAX_BACKUPS; backups++) {
      absent += ownership.table(backups).partitions();
    }
    for (Held held : List.of(Held.PRIMARY, Held.BACKUP, Held.ARRIVING, Held.LEAVING)) {
      absent -= partitions(held);
    }
    // They may all come here at once, before there is time to make room.
    pagesOfAbsentPartitions = (long) absent * PAGES_OF_EMPTY_PARTITION;
  }

  private int partitions(Held held) {
    int count = 0;
    for (int backups = 0; backups <= GridCaches.MAX_BACKUPS; backups++) {
      count += stores.partitions(backups, held).size();
    }
    return count;
  }

  // Ignite points to its metric registry instead, which has this figure only inside its internals.
  @SuppressWarnings("deprecation")
  private long usedPages() {
    return ignite.dataRegionMetrics(GridCaches.SAMPLES_REGION).getTotalUsedPages();
  }

  @Override
  public void close() {
    thread.shutdownNow();
    sweeper.close(); // First: it sweeps for the rebalancer, too, which would wait for the end.
    rebalancer.close();
    evictor.close();
    arrivals.close();
    readNews.close();
    messages.close();
  }
}
