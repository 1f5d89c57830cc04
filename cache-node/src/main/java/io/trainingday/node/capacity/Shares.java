package io.trainingday.node.capacity;

import io.trainingday.config.Portion;
import io.trainingday.config.Settings.Policy;
import io.trainingday.config.Settings.Tier;
import io.trainingday.grid.BoundedLoadAffinity;
import io.trainingday.grid.GridCaches;
import io.trainingday.grid.SampleKey;
import java.util.BitSet;
import java.util.Collection;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicIntegerArray;
import java.util.concurrent.atomic.AtomicReferenceArray;
import java.util.function.Consumer;
import java.util.function.LongFunction;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The data sets' shares of this node's memory. Thread-safe. */
final class Shares implements Census, ReadRecorder {
  private static final Logger LOG = LoggerFactory.getLogger(Shares.class);

  /** What holds for a data set that nothing is known of. */
  private static final DatasetTerms UNKNOWN =
      new DatasetTerms(
          "", 0, 0, Tier.MEMORY, Policy.PIN, Portion.ofPercent(100), Portion.ofPercent(0));

  /** At most so much of the heap goes to orders of victims; a data set has an equal part. */
  private static final int SHARE_OF_HEAP = 8;

  private static final int MOST_BYTES_PER_ENTRY = 50;

  private final LongFunction<Optional<DatasetTerms>> termsOf;
  private final int partitions;
  private final long budgetBytes;
  private final Map<Long, DatasetShare> shares = new ConcurrentHashMap<>();
  private final AtomicIntegerArray copies = new AtomicIntegerArray(GridCaches.MAX_BACKUPS + 1);

  /** By the number of backups; none is changed once it is there. */
  private final AtomicReferenceArray<BitSet> arrivingHere =
      new AtomicReferenceArray<>(GridCaches.MAX_BACKUPS + 1);

  private final Runnable whenToBeFound;
  private final Consumer<SampleKey> unknownRead;

  // Of the walk, by its thread alone.
  private final Map<Long, DatasetShare> walking = new HashMap<>();
  private final BitSet[] walked = new BitSet[GridCaches.MAX_BACKUPS + 1];
  private int walkedBackups;

  /**
   * @param termsOf what the grid keeps of a data set; asked seldom
   * @param budgetBytes of this node
   * @param whenToBeFound told that there are records that a data set does not know of
   * @param unknownRead told of reads of such, or of records that other nodes decide about; must be
   *     quick
   */
  Shares(
      LongFunction<Optional<DatasetTerms>> termsOf,
      int partitions,
      long budgetBytes,
      Runnable whenToBeFound,
      Consumer<SampleKey> unknownRead) {
    this.termsOf = termsOf;
    this.partitions = partitions;
    this.budgetBytes = budgetBytes;
    this.whenToBeFound = whenToBeFound;
    this.unknownRead = unknownRead;
    for (int i = 0; i < walked.length; i++) {
      walked[i] = new BitSet(partitions);
      copies.set(i, 1);
      arrivingHere.set(i, new BitSet());
    }
  }

  DatasetShare of(long dataset) {
    DatasetShare known = shares.get(dataset);
    return known != null
        ? known
        : shares.computeIfAbsent(
            dataset,
            unused ->
                new DatasetShare(
                    dataset,
                    terms(dataset).orElse(UNKNOWN),
                    partitions,
                    budgetBytes,
                    copies::get,
                    most(),
                    unknownRead));
  }

  private static int most() {
    long entries = Runtime.getRuntime().maxMemory() / SHARE_OF_HEAP / MOST_BYTES_PER_ENTRY;
    return (int) Math.max(1_024, Math.min(entries, 1 << 29));
  }

  Collection<DatasetShare> all() {
    return shares.values();
  }

  /** On how many nodes records with so many backups are. */
  int copies(int backups) {
    return copies.get(backups);
  }

  /**
   * Says what is this node's to decide about.
   *
   * @param primaries the partitions that it is the primary of
   * @param arriving those that it will be the primary of
   * @param copiesNow on how many nodes their records are
   */
  void placed(int backups, BitSet primaries, BitSet arriving, int copiesNow) {
    BitSet here = new BitSet(partitions);
    here.or(primaries);
    here.or(arriving);
    arrivingHere.set(backups, arriving);
    // In this order: what has gone elsewhere must not count as often as what is left.
    for (DatasetShare share : shares.values()) {
      if (share.terms().backups() == backups) {
        notHeldBut(here, share);
      }
    }
    copies.set(backups, copiesNow);
  }

  private void notHeldBut(BitSet here, DatasetShare share) {
    for (int partition = here.nextClearBit(0);
        partition < partitions;
        partition = here.nextClearBit(partition + 1)) {
      share.notHeld(partition);
    }
  }

  /** A record has come from another node, of a partition that this one will be the primary of. */
  void arrived(SampleKey key, int recordBytes) {
    of(key.dataset()).stored(key, partition(key), recordBytes);
  }

  /** Bytes of records given up since the start, copies included. */
  long evictedBytes() {
    long bytes = 0;
    for (DatasetShare share : shares.values()) {
      bytes += share.evictedBytes() * (1 + share.terms().backups());
    }
    return bytes;
  }

  int partition(SampleKey key) {
    return BoundedLoadAffinity.partition(key.index(), partitions);
  }

  /** What the grid keeps of a data set, empty if that is nothing, or cannot be had now. */
  Optional<DatasetTerms> terms(long dataset) {
    try {
      return termsOf.apply(dataset);
    } catch (RuntimeException unknown) {
      LOG.debug("What data set {} may have is not known now", dataset, unknown);
      return Optional.empty();
    }
  }

  /** Looks up what data sets may have now. */
  void look() {
    shares.keySet().forEach(this::look);
  }

  /** Looks up what a data set may have now. */
  void look(long dataset) {
    DatasetShare share = of(dataset);
    if (terms(dataset).map(share::changeTo).orElse(false)) {
      whenToBeFound.run();
    }
  }

  /** What all, or all others, are guaranteed and do not have, in bytes of records. */
  long unmetBytes(@Nullable DatasetShare but) {
    long unmet = 0;
    for (DatasetShare share : shares.values()) {
      if (share != but) {
        unmet += share.unmetBytes();
      }
    }
    return unmet;
  }

  @Override
  public void opened(long dataset) {
    DatasetShare unused = of(dataset);
  }

  @Override
  public boolean wants(long dataset) {
    DatasetShare share = shares.get(dataset);
    return share != null && share.wantsReads();
  }

  @Override
  public void read(long dataset, SampleKey[] keys) {
    DatasetShare share = shares.get(dataset);
    if (share != null && keys.length > 0) {
      share.read(keys);
    }
  }

  /** Notes what was read on other nodes, all of one data set. */
  void readElsewhere(SampleKey[] keys) {
    DatasetShare share = shares.get(keys[0].dataset());
    if (share != null) {
      share.readElsewhere(keys);
    }
  }

  @Override
  public void beginPass() {
    walking.clear();
    shares.values().forEach(DatasetShare::beginPass);
    for (BitSet set : walked) {
      set.clear();
    }
  }

  @Override
  public void beginPartition(int backups, int partition) {
    walkedBackups = backups;
    walked[backups].set(partition);
    for (DatasetShare share : shares.values()) {
      if (share.terms().backups() == backups) {
        share.beginWalk(partition);
        walking.put(share.dataset(), share);
      }
    }
  }

  @Override
  public void seen(SampleKey key, int recordBytes) {
    DatasetShare share = walking.get(key.dataset());
    if (share == null) {
      // Met for the first time: counted whole in the next pass, known at once.
      share = of(key.dataset());
      if (share.terms().backups() != walkedBackups) {
        return;
      }
    }
    share.seen(key, recordBytes);
  }

  @Override
  public void endPartition() {
    walking.values().forEach(DatasetShare::endWalk);
    walking.clear();
  }

  @Override
  public void endPass() {
    for (DatasetShare share : shares.values()) {
      BitSet here = new BitSet(partitions);
      here.or(walked[share.terms().backups()]);
      here.or(arrivingHere.get(share.terms().backups()));
      notHeldBut(here, share);
      share.endPass();
    }
  }

  @Override
  public void dropped(SampleKey key, int recordBytes) {
    DatasetShare share = shares.get(key.dataset());
    if (share != null) {
      share.dropped(key, partition(key), recordBytes);
    }
  }
}
