package io.trainingday.node.lane;

import io.trainingday.grid.SampleKey;
import io.trainingday.lane.LaneException;
import io.trainingday.lane.LaneMessage;
import io.trainingday.lane.LaneMessage.Batch;
import io.trainingday.lane.LaneMessage.Status;
import io.trainingday.lane.LaneMessage.Table;
import io.trainingday.node.fill.MissAnswer;
import io.trainingday.node.lane.Sinks.Scratch;
import io.trainingday.node.store.RecordSink;
import io.trainingday.node.store.RecordStore;
import io.trainingday.node.traces.Fate;
import io.trainingday.record.RecordChecksum;
import io.trainingday.record.RecordLayout;
import java.util.Arrays;
import java.util.Collection;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.agrona.collections.IntArrayList;
import org.jspecify.annotations.Nullable;

/**
 * The samples of one READ: their keys, what became of each, and where they are laid down. Where
 * records come from and when is the matter of {@link BatchFlow}.
 *
 * <p>Lives on its connection's thread. Only {@link Places} made here are used by others, and while
 * they are, the target does not move: {@link #fix} or {@link #arrange} comes before.
 */
abstract class BatchRead {
  /**
   * A record may be in memory and on disk, and one that is on its way comes once more. So often it
   * is removed before its sample is left to the trainer alone.
   */
  private static final int MOST_REMOVALS = 4;

  private static final int MOST_VARIANTS = 1_024;

  /** What became of the attempt to lay one sample down. */
  enum Placed {
    HIT,
    ABSENT,
    DAMAGED,
    /** Its source has changed since, or it is too old. */
    STALE,
    NO_ROOM,
    /** It does not fit the layout that is fixed while records come from elsewhere. */
    LATER
  }

  final LaneMessage.Read request;
  final ServedDataset dataset;
  final Target target;
  final Scratch scratch;
  final RecordChecksum checksum;
  final Freshness freshness;
  private final Status[] statuses;

  /** How many of them are LEASED_TO_YOU: asked for with each sample that is waited for. */
  private int granted;

  private final SampleKey[] keys;
  private final long[] leases;
  private final int[] recordBytes;

  /** Of each sample whether this node's disk had it; null where there is none to be asked. */
  private final boolean @Nullable [] fromDisk;

  private final IntArrayList damaged = new IntArrayList();
  private final IntArrayList later = new IntArrayList();
  private final int[] removals;
  private final Map<Integer, Fate> unfit = new HashMap<>();
  private final ServedDataset.Resolved resolved;
  private long neededBytes;

  /**
   * Takes a request up and resolves its keys.
   *
   * @param tools of the connection's thread
   * @throws LaneException REFUSED when an index is out of range, or stamps are missing
   */
  static BatchRead of(
      LaneMessage.Read request,
      ServedDataset dataset,
      Target target,
      Copiers.Tools tools,
      Copiers copiers,
      int maxFrameBytes) {
    return switch (request.shape()) {
      case RECORDS -> new RecordsRead(request, dataset, target, tools);
      case COLLATED -> new CollatedRead(request, dataset, target, tools, copiers);
      case RAGGED -> new RaggedRead(request, dataset, target, tools, maxFrameBytes);
    };
  }

  BatchRead(LaneMessage.Read request, ServedDataset dataset, Target target, Copiers.Tools tools) {
    this.request = request;
    this.dataset = dataset;
    this.target = target;
    this.scratch = tools.scratch();
    this.checksum = tools.checksum();
    long[] indices = request.indices();
    statuses = new Status[indices.length];
    Arrays.fill(statuses, Status.MISS);
    keys = new SampleKey[indices.length];
    leases = new long[indices.length];
    recordBytes = new int[indices.length];
    removals = new int[indices.length];
    fromDisk = dataset.store().tier().onDisk() ? new boolean[indices.length] : null;
    freshness = dataset.freshness(request.stamps());
    resolved = dataset.keys(request, keys);
    requireFewVariants(request.variants());
  }

  /** Nodes ask each other for one variant at a time, and have a limit of requests. */
  private static void requireFewVariants(int[] variants) {
    if (variants.length > MOST_VARIANTS) {
      long different = Arrays.stream(variants).distinct().count();
      if (different > MOST_VARIANTS) {
        throw new LaneException(
            LaneException.Code.TOO_LARGE,
            "a READ of %d different variants, allowed: %d; ask for fewer samples at a time"
                .formatted(different, MOST_VARIANTS));
      }
    }
  }

  // What the shapes do.

  /** Lays sample {@code i} down from the store, or from {@code bytes} where they are given. */
  abstract Placed place(int i, byte @Nullable [] bytes);

  /**
   * Whether records that come from elsewhere can be laid down without knowing more about them; else
   * their heads are needed first. If so, the layout and the target stay as they are until {@link
   * #loosen}.
   */
  boolean fix() {
    return false;
  }

  void loosen() {}

  /** Where records from elsewhere are laid down while the layout is fixed. */
  Places straight() {
    throw new IllegalStateException("nothing is fixed");
  }

  /**
   * The record of sample {@code i} is elsewhere, and its head is this.
   *
   * @throws LaneException NOT_COLLATABLE
   */
  abstract Placed announce(int i, HeadPlaces.Head head);

  /** Takes from places that were used what the reply needs of them. */
  void used(Places places) {}

  /**
   * Gives every record its place, when all heads are known. The records that are elsewhere come
   * after it. False when the target cannot take the batch.
   */
  abstract boolean arrange();

  /** Where announced records are laid down after {@link #arrange}. */
  abstract Places places();

  /**
   * Lays down what is here and waited for its place. False when a record had vanished, so that
   * everything has to be arranged and laid down anew.
   */
  boolean layDown() {
    return true;
  }

  /** Whether places depend on one another, so that a record that vanished moves all others. */
  boolean isDense() {
    return false;
  }

  /** The table of the reply, when all samples are settled and laid down. */
  abstract Table table();

  /** Bytes of the payload so far. */
  abstract long payloadBytes();

  // What all shapes have in common.

  final int count() {
    return statuses.length;
  }

  /** Whether anything but a miss may be answered. */
  final boolean isServable() {
    return resolved.servable();
  }

  final SampleKey key(int i) {
    return keys[i];
  }

  final Status status(int i) {
    return statuses[i];
  }

  final long lease(int i) {
    return leases[i];
  }

  /** Samples apart by their variant: what nodes ask each other for has but one. */
  final Collection<IntArrayList> byVariant(IntArrayList positions) {
    if (request.variants().length == 0) {
      return List.of(positions);
    }
    Map<Integer, IntArrayList> apart = new LinkedHashMap<>();
    positions.forEachInt(
        i -> apart.computeIfAbsent(request.variantOf(i), unused -> new IntArrayList()).addInt(i));
    return apart.values();
  }

  /** Bytes of the record, if it is a hit. */
  final int recordBytes(int i) {
    return recordBytes[i];
  }

  /** Whether sample {@code i} was read from this node's disk. */
  final boolean cameFromDisk(int i) {
    return fromDisk != null && fromDisk[i];
  }

  final int count(Status wanted) {
    int found = 0;
    for (Status status : statuses) {
      found += status == wanted ? 1 : 0;
    }
    return found;
  }

  final boolean hasHit() {
    for (Status status : statuses) {
      if (status == Status.HIT) {
        return true;
      }
    }
    return false;
  }

  /** Whether the trainer is to load something. */
  final boolean hasLease() {
    return granted > 0;
  }

  private void become(int i, Status status) {
    granted -= statuses[i] == Status.LEASED_TO_YOU ? 1 : 0;
    granted += status == Status.LEASED_TO_YOU ? 1 : 0;
    statuses[i] = status;
  }

  /** Whether the target cannot take the batch. */
  final boolean tooSmall() {
    return neededBytes > 0;
  }

  /** Reads what the store has of these samples. Stops early when the target is too small. */
  void readStored(int[] positions) {
    for (int i : positions) {
      if (tooSmall()) {
        return;
      }
      readStored(i);
    }
  }

  final void readStored(int i) {
    settle(i, place(i, null));
  }

  /** Lays down a record that is at hand but not in the store. */
  final void take(int i, byte[] record) {
    settle(i, place(i, record));
  }

  /** Takes this node's word on a sample whose leases it keeps, first or after a wait. */
  final void answered(int i, MissAnswer answer) {
    switch (answer.kind()) {
      case RECORD -> take(i, answer.record());
      case IN_STORE -> readStored(i);
      case GRANTED -> granted(i, LeaseIds.of(LeaseIds.LOCAL, answer.lease()));
      case HELD_BY_YOU, LEASED_TO_OTHER -> become(i, Status.LEASED_TO_OTHER);
      case REFUSED -> become(i, Status.MISS);
    }
  }

  /** The trainer is to load sample {@code i}. */
  final void granted(int i, long lease) {
    become(i, Status.LEASED_TO_YOU);
    leases[i] = lease;
  }

  final void leasedToOther(int i) {
    become(i, Status.LEASED_TO_OTHER);
  }

  final void missing(int i) {
    become(i, Status.MISS);
  }

  /** A record lies where it belongs, or will. */
  final void hit(int i, int length) {
    become(i, Status.HIT);
    recordBytes[i] = length;
  }

  final void settle(int i, Placed placed) {
    switch (placed) {
      case HIT -> become(i, Status.HIT);
      case ABSENT, NO_ROOM -> become(i, Status.MISS);
      case DAMAGED -> {
        dataset.counters().damaged.increment();
        unfit.put(i, Fate.DAMAGED);
        remove(i);
      }
      case STALE -> {
        boolean known = unfit.put(i, freshness.fate(i)) != null;
        if (freshness.isRemoved(i, request.lease())) {
          dataset.counters().stale.increment();
          remove(i);
        } else {
          become(i, Status.MISS);
          dataset.counters().stale.add(known ? 0 : 1); // It may be looked at once more.
        }
      }
      case LATER -> {
        become(i, Status.MISS);
        later.addInt(i);
      }
    }
  }

  private void remove(int i) {
    become(i, Status.MISS);
    if (removals[i]++ < MOST_REMOVALS) {
      damaged.addInt(i);
    }
  }

  /** What was wrong with the record of sample {@code i} that was found here last; null: nothing. */
  final @Nullable Fate unfit(int i) {
    return unfit.get(i);
  }

  /** The samples whose record here is to be removed, found since the last call. */
  final int[] takeDamaged() {
    int[] taken = damaged.toIntArray();
    damaged.clear();
    return taken;
  }

  /** Adds the samples that were put off since the last call. */
  final void moveLaterTo(IntArrayList positions) {
    positions.addAll(later);
    later.clear();
  }

  /** Whether sample {@code i} was put off, or found damaged and not yet seen to. */
  final boolean isOpen(int i) {
    return later.containsInt(i) || damaged.containsInt(i);
  }

  /** Counts the bytes of one hit. */
  final Placed hitOf(int i, int length) {
    recordBytes[i] = length;
    return Placed.HIT;
  }

  /** Notes that the payload needs {@code bytes} and the target has no room for them. */
  final Placed noRoom(long bytes) {
    neededBytes = Math.max(neededBytes, bytes);
    return Placed.NO_ROOM;
  }

  /** The reply, when all samples are settled. */
  final Batch reply() {
    boolean inline = target instanceof Target.Inline;
    Table table = tooSmall() ? new Table.Empty() : table();
    if (tooSmall()) {
      forgetHits();
      if (inline) {
        throw new LaneException(
            LaneException.Code.TOO_LARGE,
            "a batch of %d samples needs %d bytes > lane.maxFrameSize, ask for fewer samples at a time"
                .formatted(count(), neededBytes));
      }
    }
    int leased = count(Status.LEASED_TO_YOU);
    long[] leasesOfReply = new long[leased];
    long[] versions = new long[leased];
    for (int i = 0, k = 0; i < count(); i++) {
      if (statuses[i] == Status.LEASED_TO_YOU) {
        leasesOfReply[k] = leases[i];
        versions[k++] = keys[i].sampleVersion();
      }
    }
    return new Batch(
        resolved.generation(),
        request.shape(),
        inline && !tooSmall(),
        tooSmall(),
        tooSmall() ? neededBytes : payloadBytes(),
        statuses,
        leasesOfReply,
        versions,
        table);
  }

  private void forgetHits() {
    for (int i = 0; i < count(); i++) {
      if (statuses[i] == Status.HIT) {
        become(i, Status.MISS);
      }
    }
  }

  /** Reads a whole record to the start of scratch; its length, or {@link RecordStore#MISS}. */
  final int readToScratch(int i, byte @Nullable [] bytes) {
    Sinks.Whole sink = new Sinks.Whole();
    int length = pour(i, bytes, sink.at(scratch.address(), scratch.capacity()));
    if (length < 0 && sink.offered() > scratch.capacity()) {
      scratch.ensure(sink.offered());
      length = pour(i, bytes, sink.at(scratch.address(), scratch.capacity()));
    }
    return length;
  }

  /** Gives a record to a sink, from the store or from {@code bytes}. */
  final int pour(int i, byte @Nullable [] bytes, RecordSink sink) {
    if (bytes == null) {
      return fromDisk == null
          ? dataset.store().read(keys[i], sink)
          : dataset.store().read(keys[i], sink, () -> fromDisk[i] = true);
    }
    if (!sink.begin(bytes.length)) {
      return RecordStore.MISS;
    }
    sink.copy(bytes, 0, bytes.length);
    return bytes.length;
  }

  static long align(long position) {
    return (position + RecordLayout.ALIGNMENT - 1) & -RecordLayout.ALIGNMENT;
  }
}
