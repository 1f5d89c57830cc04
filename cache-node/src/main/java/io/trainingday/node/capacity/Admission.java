package io.trainingday.node.capacity;

import io.trainingday.grid.SampleKey;
import java.util.Collection;
import java.util.EnumMap;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.LongAdder;
import java.util.function.LongConsumer;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;

/**
 * Admits records to the data regions of this node and of those that hold copies, as long as they
 * are sure to fit everywhere, so that Ignite never runs out of pages. Thread-safe.
 *
 * <p>Every admitted record is a reservation until {@link #release}: admit, write, release in a
 * {@code finally}.
 *
 * <h2>What counts</h2>
 *
 * The truth is Ignite's number of used pages, which includes what is not a record: trees, lists and
 * about two pages for each partition. On top come the pages of the records admitted and not yet
 * released, those that other nodes may write here (below), and those that rebalancing is going to
 * bring. So concurrent writes need no static reserve, they have reserved what they need.
 *
 * <h2>Copies</h2>
 *
 * A write that finds no room on the node of a copy is a critical failure there, and that node is
 * not asked by Ignite. So it is asked by us, ahead: a node promises each writer a number of pages
 * and keeps them free until the writer has said that they are used or not wanted. Several writers
 * hold separate promises; a message that is late or lost can only make a promise smaller. See
 * {@link Allowance} for the writer's side.
 *
 * <h2>Reserve</h2>
 *
 * When one of N nodes dies, the others rebuild the copies it held, which takes 1/N of their memory.
 * Records with copies leave that free; where there are such, all records do. And while they arrive,
 * room for the next message is to be left, which may be more than the headroom.
 *
 * <h2>Headroom</h2>
 *
 * What must remain free for Ignite itself, in pages:
 *
 * <ul>
 *   <li>256: before each insert Ignite wants one page for every bucket of its free list to be free,
 *       and calls it a critical failure when they are not.
 *   <li>1/256 of the region: in the same check it wants room for the lists of free pages, 12 bytes
 *       a page (1/1365 of the region with pages of 16 KiB), and the trees grow while records are
 *       written.
 *   <li>64: a region is allocated in up to 16 pieces, each of which loses a page or two at its
 *       ends, and each write may split a page of a tree on every level.
 * </ul>
 *
 * <h2>Why a lock</h2>
 *
 * Used pages and pages in flight must be judged together: with a compare-and-set on the latter
 * alone, a record may move from one to the other between the two reads and be counted in neither. A
 * decision takes well under a microsecond, the write it precedes tens.
 */
public final class Admission implements Room {
  /**
   * On which terms a record may come in.
   *
   * @param keptPages pages it has to leave free beside those that all do
   * @param evicts whether older records may be given up for it
   * @param entitled whether its data set has less than it was guaranteed
   * @param copies whether other nodes keep it, too; while a partition moves it is written to
   *     several nodes all the same
   */
  record Terms(long keptPages, boolean evicts, boolean entitled, boolean copies) {}

  /**
   * What Ignite spends on a page beside its content: {@code PageMemoryNoStoreImpl.PAGE_OVERHEAD}.
   */
  private static final int PAGE_HEADER_BYTES = 24;

  /** Fragment and page headers; the least of a page that is not payload is a little under it. */
  private static final int FRAGMENT_OVERHEAD_BYTES = 64;

  /** Key, version, lengths and expiry of a row, rounded up. */
  private static final int ROW_OVERHEAD_BYTES = 256;

  /** How a writer's promise is bounded: one may hold up to an eighth of what is admitted at all. */
  private static final int PROMISE_SHARE = 8;

  /** What another node may write here; pages, counted up since the two met. */
  private static final class Promise {
    long limit;
    long settled;
  }

  private final UUID local;
  private final long budgetPages;
  private final long admissiblePages;
  private final int maxRecordBytes;
  private final int pageBytes;
  private final LongSupplier usedPages;
  private final Map<Refusal, LongAdder> refusals = new EnumMap<>(Refusal.class);
  private final Map<UUID, Allowance> allowances = new HashMap<>();
  private final Map<UUID, Promise> promises = new HashMap<>();
  private long pagesInFlight;
  private long recordsInFlight;
  private long recordBytesInFlight;
  private long pagesArriving;
  private long reservedPages;
  private long wantedReservePages;
  private boolean copiesHeld;
  private @Nullable String closedReason;
  private long softCapPages = Long.MAX_VALUE;
  private volatile long lastRoomPages = Long.MAX_VALUE;
  private volatile Runnable urgentQuestions = () -> {};
  private volatile LongConsumer evictionWanted = pages -> {};
  private volatile LongSupplier guaranteedPages = () -> 0;

  /**
   * @param local this node, which takes part in every write
   * @param budgetBytes the data region's maximum size
   * @param headroomBytes what records leave free of it; what Ignite itself needs is left free even
   *     when this is less
   * @param maxRecordBytes the largest record, from 1
   * @param pageBytes Ignite's page size
   * @param usedPages {@code DataRegionMetrics.getTotalUsedPages()} of the region, which works with
   *     metrics switched off, and whatever else is as good as used; asked for every record
   * @throws IllegalArgumentException when the headroom leaves nothing of the budget
   */
  public Admission(
      UUID local,
      long budgetBytes,
      long headroomBytes,
      int maxRecordBytes,
      int pageBytes,
      LongSupplier usedPages) {
    this.local = local;
    this.pageBytes = pageBytes;
    this.maxRecordBytes = maxRecordBytes;
    this.usedPages = usedPages;
    int bytesOfOnePage = pageBytes + PAGE_HEADER_BYTES;
    budgetPages = budgetBytes / bytesOfOnePage;
    long headroomPages = Math.max(headroomBytes / bytesOfOnePage + 1, igniteNeeds(budgetPages));
    admissiblePages = budgetPages - headroomPages;
    if (admissiblePages <= 0) {
      throw new IllegalArgumentException(
          ("a memory budget of %d bytes less a headroom of %d bytes leaves no room for"
                  + " records: raise the budget%s")
              .formatted(
                  budgetBytes,
                  headroomPages * bytesOfOnePage,
                  headroomPages > igniteNeeds(budgetPages) ? " or lower the headroom" : ""));
    }
    for (Refusal refusal : Refusal.values()) {
      refusals.put(refusal, new LongAdder());
    }
  }

  /**
   * Reserves room for one record of {@code recordBytes} on this node and on all {@code targets}, or
   * counts and returns why not. Null means admitted: the caller must call {@link #release} with the
   * same size and targets after the write, whatever its outcome.
   */
  public @Nullable Refusal tryAdmit(int recordBytes, List<UUID> targets) {
    return tryAdmit(recordBytes, targets, new Terms(0, false, false, targets.size() > 1));
  }

  @Nullable Refusal tryAdmit(int recordBytes, List<UUID> targets, Terms terms) {
    Refusal refusal;
    boolean urgent;
    synchronized (this) {
      refusal = reserve(recordBytes, targets, terms);
      urgent = anyUrgent(targets);
    }
    if (refusal != null) {
      counter(refusal).increment();
    }
    if (urgent) {
      urgentQuestions.run();
    }
    return refusal;
  }

  /**
   * As {@link #tryAdmit}, but waits up to {@code patienceNanos} for another node to answer whether
   * it has room.
   */
  public @Nullable Refusal admit(int recordBytes, List<UUID> targets, long patienceNanos)
      throws InterruptedException {
    long deadline = System.nanoTime() + patienceNanos;
    Refusal refusal = tryAdmit(recordBytes, targets);
    while (refusal == Refusal.COPY_PENDING) {
      synchronized (this) {
        long left = TimeUnit.NANOSECONDS.toMillis(deadline - System.nanoTime());
        if (left <= 0) {
          return refusal;
        }
        wait(left);
      }
      refusal = tryAdmit(recordBytes, targets);
    }
    return refusal;
  }

  // Where nobody asks which data set a record belongs to.

  @Override
  public @Nullable Refusal tryAdmit(SampleKey key, int recordBytes, List<UUID> targets) {
    return tryAdmit(recordBytes, targets);
  }

  @Override
  public @Nullable Refusal admit(
      SampleKey key, int recordBytes, List<UUID> targets, long patienceNanos)
      throws InterruptedException {
    return admit(recordBytes, targets, patienceNanos);
  }

  @Override
  public void stored(SampleKey key, int recordBytes) {}

  @Override
  public void release(SampleKey key, int recordBytes, List<UUID> targets) {
    release(recordBytes, targets);
  }

  private @Nullable Refusal reserve(int recordBytes, List<UUID> targets, Terms terms) {
    if (closedReason != null) {
      return Refusal.CLOSED;
    }
    if (recordBytes > maxRecordBytes) {
      return Refusal.RECORD_TOO_LARGE;
    }
    long pages = pagesFor(recordBytes);
    long room = roomPages(terms.copies()) - terms.keptPages();
    lastRoomPages = room - pages;
    if (pages > room) {
      return Refusal.BUDGET;
    }
    Refusal refusal = null;
    for (UUID target : targets) {
      Allowance allowance = allowanceOf(target);
      if (allowance != null && !allowance.has(pages)) {
        allowance.miss(pages, terms.evicts(), terms.entitled());
        boolean hopeless = terms.evicts() ? allowance.isStuck() : allowance.isRefused();
        refusal = hopeless ? Refusal.COPY_BUDGET : Refusal.COPY_PENDING;
      }
    }
    if (refusal != null) {
      return refusal;
    }
    for (UUID target : targets) {
      Allowance allowance = allowanceOf(target);
      if (allowance != null) {
        allowance.take(pages);
      }
    }
    pagesInFlight += pages;
    recordsInFlight++;
    recordBytesInFlight += recordBytes;
    copiesHeld |= terms.copies();
    return null;
  }

  private @Nullable Allowance allowanceOf(UUID target) {
    return target.equals(local)
        ? null
        : allowances.computeIfAbsent(
            target,
            unused ->
                new Allowance(Math.max(admissiblePages / PROMISE_SHARE, pagesFor(maxRecordBytes))));
  }

  private boolean anyUrgent(List<UUID> targets) {
    for (UUID target : targets) {
      Allowance allowance = allowances.get(target);
      if (allowance != null && allowance.isUrgent()) {
        return true;
      }
    }
    return false;
  }

  /** How many pages a record may take now. */
  synchronized long roomPages(boolean copies) {
    // In this order: a page that moves from reserved to used in between counts twice, not never.
    long reserved = pagesInFlight + pagesPromised() + pagesArriving;
    return limitPages(copies) - reserved - usedPages.getAsLong();
  }

  /**
   * How many pages records may use in all. What other programs leave does not add to the reserve:
   * copies are rebuilt in any case.
   */
  private long limitPages(boolean copies) {
    return Math.min(admissiblePages - (copies || copiesHeld ? reservedPages : 0), softCapPages);
  }

  /** How many pages records may use in all, now. */
  synchronized long limitPages() {
    return limitPages(false);
  }

  /**
   * How many pages a record may take when the writes under way are over: each has reserved what it
   * can need at most, which of small records is many times what they need.
   */
  synchronized long roomPagesSoon(boolean copies) {
    return roomPages(copies)
        + pagesInFlight
        - (long) Math.ceil(meanPages(recordsInFlight, recordBytesInFlight));
  }

  private long pagesPromised() {
    long promised = 0;
    for (Promise promise : promises.values()) {
      promised += promise.limit - promise.settled;
    }
    return promised;
  }

  /** Ends the reservation of one admitted record of {@code recordBytes}. */
  public synchronized void release(int recordBytes, List<UUID> targets) {
    long pages = pagesFor(recordBytes);
    pagesInFlight -= pages;
    recordsInFlight--;
    recordBytesInFlight -= recordBytes;
    for (UUID target : targets) {
      Allowance allowance = allowances.get(target);
      if (allowance != null) {
        allowance.settle(pages);
      }
    }
  }

  /** Refuses everything from now on; the first reason is kept. Records held stay readable. */
  public synchronized void close(String reason) {
    if (closedReason == null) {
      closedReason = reason;
    }
    notifyAll();
  }

  /** Why nothing is admitted any more, or null while admission is open. */
  public synchronized @Nullable String closedReason() {
    return closedReason;
  }

  /** How many bytes of pages records may use in all, the reserve for copies included. */
  public long admissibleBytes() {
    return admissiblePages * pageBytes;
  }

  /** How many bytes of pages are left free for the copies that another node's death costs. */
  public synchronized long reservedBytes() {
    return copiesHeld ? reservedPages * pageBytes : 0;
  }

  /** How many bytes of pages the records admitted and not yet released have reserved. */
  public synchronized long bytesInFlight() {
    return pagesInFlight * pageBytes;
  }

  /** How many bytes of pages other nodes have been promised and not used yet. */
  public synchronized long bytesPromised() {
    return pagesPromised() * pageBytes;
  }

  /** How many bytes of pages are left free for what rebalancing is still to bring. */
  public synchronized long bytesArriving() {
    return pagesArriving * pageBytes;
  }

  /** How many records were refused for {@code refusal} so far. */
  public long refused(Refusal refusal) {
    return counter(refusal).sum();
  }

  /** How many pages records may use in all, the reserve for copies included. */
  long admissiblePages() {
    return admissiblePages;
  }

  int pageBytes() {
    return pageBytes;
  }

  /** Pages that records of so many bytes take. */
  long pagesOf(long bytes) {
    return (long) Math.ceil(meanPages(0, bytes));
  }

  /** How many pages were left for records when the last one asked; without a look at anything. */
  long lastRoomPages() {
    return lastRoomPages;
  }

  /** Lets no more pages be used than this, until told otherwise. */
  synchronized void capAt(long pages) {
    softCapPages = pages;
  }

  /** How many pages may be used at most, now. */
  synchronized long softCapPages() {
    return Math.min(admissiblePages, softCapPages);
  }

  /** How many bytes of pages may be used at most, now. */
  public synchronized long softCapBytes() {
    return softCapPages() * pageBytes;
  }

  // What follows is between nodes.

  /** Told, under a lock, how many pages another node wants that records may be given up for. */
  void onEvictionWanted(LongConsumer wanted) {
    evictionWanted = wanted;
  }

  /** What data sets are guaranteed here and do not have, in pages; asked under a lock. */
  void guaranteedPages(LongSupplier pages) {
    guaranteedPages = pages;
  }

  /** Told, on the admitting thread and without a lock, that {@link #urgentQuestions} has some. */
  void onUrgent(Runnable urgent) {
    urgentQuestions = urgent;
  }

  /** What to ask other nodes now. */
  synchronized Map<UUID, RoomQuestion> urgentQuestions() {
    Map<UUID, RoomQuestion> questions = new HashMap<>();
    allowances.forEach(
        (node, allowance) -> {
          if (allowance.isUrgent()) {
            questions.put(node, allowance.ask());
          }
        });
    return questions;
  }

  /** What to tell and ask other nodes in a regular turn. */
  synchronized Map<UUID, RoomQuestion> regularQuestions() {
    Map<UUID, RoomQuestion> questions = new HashMap<>();
    allowances.forEach(
        (node, allowance) -> {
          RoomQuestion question = allowance.turn();
          if (question != null) {
            questions.put(node, question);
          }
        });
    return questions;
  }

  /** Answers another node's question with the limit of what it may store here in all. */
  synchronized long answer(UUID writer, RoomQuestion question) {
    Promise promise = promises.computeIfAbsent(writer, unused -> new Promise());
    // Ours may come late: what was settled stays settled.
    promise.settled = Math.max(promise.settled, question.settled());
    long more = question.wanted() - promise.limit;
    if (more > 0 && closedReason == null) {
      long room = roomPages(true) - (question.entitled() ? 0 : guaranteedPages.getAsLong());
      // Half of what is left: the other writers, we among them, want some too.
      long given = Math.max(0, Math.min(more, room / 2));
      promise.limit += given;
      if (given < more && question.evicts()) {
        evictionWanted.accept(more - given);
      }
    }
    copiesHeld |= promise.limit > promise.settled;
    return promise.limit;
  }

  /** Takes another node's answer. */
  synchronized void answered(UUID holder, RoomQuestion question, long limit) {
    Allowance allowance = allowances.get(holder);
    if (allowance != null) {
      allowance.answered(question, limit);
      notifyAll();
    }
  }

  /** Forgets nodes that have left for good, and so long ago that nothing of theirs is under way. */
  synchronized void forget(Collection<UUID> nodes) {
    allowances.keySet().removeAll(nodes);
    promises.keySet().removeAll(nodes);
  }

  /**
   * Says what the grid looks like now.
   *
   * @param reserveShare the part of the budget that is to be free for copies when another node dies
   * @param messagePages what has to be free for a message while they arrive
   * @param anyCopies whether this node holds records that other nodes hold too
   */
  synchronized void grid(double reserveShare, long messagePages, boolean anyCopies) {
    long headroomPages = budgetPages - admissiblePages - igniteNeeds(budgetPages);
    wantedReservePages =
        reserveShare == 0
            ? 0
            : (long) Math.ceil(budgetPages * reserveShare)
                + Math.max(0, messagePages - headroomPages);
    reservedPages = Math.min(reservedPages, wantedReservePages);
    copiesHeld = anyCopies || pagesPromised() > 0;
  }

  /**
   * Adds what is free to the reserve, until it is what it is to be. A reserve that was used up, or
   * is to be larger because there are fewer nodes, comes back as partitions leave: what is held is
   * not given up for it.
   *
   * @param otherwisePages of what is free, those that are so for something else
   */
  synchronized void reserveFree(long otherwisePages) {
    long taken = pagesInFlight + pagesPromised() + pagesArriving + usedPages.getAsLong();
    long free = admissiblePages - reservedPages - taken - otherwisePages;
    reservedPages = Math.min(wantedReservePages, reservedPages + Math.max(0, free));
  }

  /** Counts so many pages as used that rebalancing is about to bring. */
  synchronized void arriving(long pages) {
    pagesArriving = Math.max(0, pages);
  }

  /** How many pages are free beside what is used or promised; the reserve may be used up. */
  synchronized long freePages() {
    long reserved = pagesInFlight + pagesPromised();
    return budgetPages - igniteNeeds(budgetPages) - reserved - usedPages.getAsLong();
  }

  /** Pages that one record can need at most: its fragments and one for the tree. */
  long pagesFor(long recordBytes) {
    int payloadBytes = pageBytes - FRAGMENT_OVERHEAD_BYTES;
    return (recordBytes + ROW_OVERHEAD_BYTES) / payloadBytes + 2;
  }

  /** Pages that records take on the average, without rounding up for each. */
  double meanPages(long records, long bytes) {
    return (bytes + (double) records * ROW_OVERHEAD_BYTES) / (pageBytes - FRAGMENT_OVERHEAD_BYTES);
  }

  /** How many of a region's pages must stay free; the class comment says what for. */
  private static long igniteNeeds(long budgetPages) {
    return 256 + budgetPages / 256 + 64;
  }

  private LongAdder counter(Refusal refusal) {
    LongAdder counter = refusals.get(refusal);
    if (counter == null) {
      throw new IllegalStateException("no counter for " + refusal);
    }
    return counter;
  }
}
