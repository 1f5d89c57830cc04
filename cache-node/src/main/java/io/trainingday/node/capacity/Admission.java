package io.trainingday.node.capacity;

import java.util.EnumMap;
import java.util.Map;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.LongAdder;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;

/**
 * Admits records to one data region as long as they are sure to fit.
 *
 * <p>Every admitted record is a reservation until {@link #release}: admit, write, release in a
 * {@code finally}. Thread-safe.
 */
public final class Admission {
  private final long admissibleBytes;
  private final int maxRecordBytes;
  private final int pageBytes;
  private final LongSupplier usedPages;
  private final AtomicLong bytesInFlight = new AtomicLong();
  private final Map<Refusal, LongAdder> refusals = new EnumMap<>(Refusal.class);
  private volatile @Nullable String closedReason;

  /**
   * @param budgetBytes the data region's size
   * @param headroomBytes the part of it that records never take
   * @param maxRecordBytes the largest record, from 1
   * @param pageBytes the region's page size
   * @param usedPages the region's pages that hold something, now
   */
  public Admission(
      long budgetBytes,
      long headroomBytes,
      int maxRecordBytes,
      int pageBytes,
      LongSupplier usedPages) {
    this.admissibleBytes = budgetBytes - headroomBytes;
    this.maxRecordBytes = maxRecordBytes;
    this.pageBytes = pageBytes;
    this.usedPages = usedPages;
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
    long bytes = wholePages(recordBytes);
    // In flight before used: a record that is written and released in between counts twice, not
    // never.
    long inFlight = bytesInFlight.get();
    long used = usedPages.getAsLong() * pageBytes;
    if (used + inFlight + bytes > admissibleBytes) {
      return Refusal.BUDGET;
    }
    bytesInFlight.addAndGet(bytes);
    return null;
  }

  /** Ends the reservation of one admitted record of {@code recordBytes}. */
  public void release(int recordBytes) {
    bytesInFlight.addAndGet(-wholePages(recordBytes));
  }

  /** Refuses everything from now on; the first reason is kept. Records held stay readable. */
  public synchronized void close(String reason) {
    if (closedReason == null) {
      closedReason = reason;
    }
  }

  /** Why nothing is admitted any more, or null while admission is open. */
  public @Nullable String closedReason() {
    return closedReason;
  }

  /** Bytes reserved by records admitted and not released yet, in whole pages. */
  public long bytesInFlight() {
    return bytesInFlight.get();
  }

  /** How many records were refused for {@code refusal} so far. */
  public long refused(Refusal refusal) {
    return counter(refusal).sum();
  }

  private LongAdder counter(Refusal refusal) {
    LongAdder counter = refusals.get(refusal);
    if (counter == null) {
      throw new IllegalStateException("no counter for " + refusal);
    }
    return counter;
  }

  private long wholePages(int recordBytes) {
    return ((long) recordBytes / pageBytes + 1) * pageBytes;
  }
}
