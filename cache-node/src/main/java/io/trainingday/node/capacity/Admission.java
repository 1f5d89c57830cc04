package io.trainingday.node.capacity;

import java.util.EnumMap;
import java.util.Map;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.LongAdder;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;

/**
 * Admits records to one data region as long as they are sure to fit, so that Ignite never runs out
 * of pages. Thread-safe.
 *
 * <p>Every admitted record is a reservation until {@link #release}: admit, write, release in a
 * {@code finally}.
 *
 * <h2>What counts</h2>
 *
 * The truth is Ignite's number of used pages, which includes what is not a record: trees, lists and
 * about two pages for each partition. On top come the pages of the records admitted and not yet
 * released. So concurrent writes need no static reserve, they have reserved what they need.
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
 * Used pages and bytes in flight must be judged together: with a compare-and-set on the bytes
 * alone, a record may move from one to the other between the two reads and be counted in neither. A
 * decision takes well under a microsecond, the write it precedes tens.
 */
public final class Admission {
  /**
   * What Ignite spends on a page beside its content: {@code PageMemoryNoStoreImpl.PAGE_OVERHEAD}.
   */
  private static final int PAGE_HEADER_BYTES = 24;

  /** Fragment and page headers; the least of a page that is not payload is a little under it. */
  private static final int FRAGMENT_OVERHEAD_BYTES = 64;

  /** Key, version, lengths and expiry of a row, rounded up. */
  private static final int ROW_OVERHEAD_BYTES = 256;

  private final long admissiblePages;
  private final int maxRecordBytes;
  private final int pageBytes;
  private final LongSupplier usedPages;
  private final AtomicLong pagesInFlight = new AtomicLong();
  private final Map<Refusal, LongAdder> refusals = new EnumMap<>(Refusal.class);
  private @Nullable String closedReason;

  /**
   * @param budgetBytes the data region's maximum size
   * @param headroomBytes what records leave free of it; what Ignite itself needs is left free even
   *     when this is less
   * @param maxRecordBytes the largest record, from 1
   * @param pageBytes Ignite's page size
   * @param usedPages {@code DataRegionMetrics.getTotalUsedPages()} of the region; asked for every
   *     record, works with metrics switched off
   * @throws IllegalArgumentException when the headroom leaves nothing of the budget
   */
  public Admission(
      long budgetBytes,
      long headroomBytes,
      int maxRecordBytes,
      int pageBytes,
      LongSupplier usedPages) {
    this.pageBytes = pageBytes;
    this.maxRecordBytes = maxRecordBytes;
    this.usedPages = usedPages;
    int bytesOfOnePage = pageBytes + PAGE_HEADER_BYTES;
    long budgetPages = budgetBytes / bytesOfOnePage;
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
   * Reserves room for one record of {@code recordBytes}, or counts and returns why not. Null means
   * admitted: the caller must call {@link #release} with the same size after the write, whatever
   * its outcome.
   */
  public @Nullable Refusal tryAdmit(int recordBytes) {
    Refusal refusal = reserve(recordBytes);
    if (refusal != null) {
      counter(refusal).increment();
    }
    return refusal;
  }

  private synchronized @Nullable Refusal reserve(int recordBytes) {
    if (closedReason != null) {
      return Refusal.CLOSED;
    }
    if (recordBytes > maxRecordBytes) {
      return Refusal.RECORD_TOO_LARGE;
    }
    long pages = pagesFor(recordBytes);
    // In flight first: a record written and released in between then counts twice, not never.
    long inFlight = pagesInFlight.get();
    if (inFlight + usedPages.getAsLong() + pages > admissiblePages) {
      return Refusal.BUDGET;
    }
    pagesInFlight.addAndGet(pages);
    return null;
  }

  /** Ends the reservation of one admitted record of {@code recordBytes}. */
  public void release(int recordBytes) {
    pagesInFlight.addAndGet(-pagesFor(recordBytes));
  }

  /** Refuses everything from now on; the first reason is kept. Records held stay readable. */
  public synchronized void close(String reason) {
    if (closedReason == null) {
      closedReason = reason;
    }
  }

  /** Why nothing is admitted any more, or null while admission is open. */
  public synchronized @Nullable String closedReason() {
    return closedReason;
  }

  /** How many bytes of pages records may use in all. */
  public long admissibleBytes() {
    return admissiblePages * pageBytes;
  }

  /** How many bytes of pages the records admitted and not yet released have reserved. */
  public long bytesInFlight() {
    return pagesInFlight.get() * pageBytes;
  }

  /** How many records were refused for {@code refusal} so far. */
  public long refused(Refusal refusal) {
    return counter(refusal).sum();
  }

  /** How many of a region's pages must stay free; the class comment says what for. */
  private static long igniteNeeds(long budgetPages) {
    return 256 + budgetPages / 256 + 64;
  }

  /** Pages that one record can need at most: its fragments and one for the tree. */
  private long pagesFor(int recordBytes) {
    int payloadBytes = pageBytes - FRAGMENT_OVERHEAD_BYTES;
    return ((long) recordBytes + ROW_OVERHEAD_BYTES) / payloadBytes + 2;
  }

  private LongAdder counter(Refusal refusal) {
    LongAdder counter = refusals.get(refusal);
    if (counter == null) {
      throw new IllegalStateException("no counter for " + refusal);
    }
    return counter;
  }
}
